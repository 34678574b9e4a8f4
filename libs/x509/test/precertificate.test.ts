import { der } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type Certificate,
  embeddedScts,
  encodeExtension,
  encodeSctList,
  type Extension,
  isPrecertificate,
  OID,
  parseCertificate,
  POISON,
  removePoison,
  removeSctList,
} from "../src/index.ts";
import { type Authority, authority, leafRequest, sct } from "./world.ts";

let ca: Authority;
beforeAll(async () => {
  ca = await authority();
});

const SCT_LIST: Extension = { oid: OID.sctList, critical: false, value: der.octetString(encodeSctList([sct()])) };
const OTHER: Extension = { oid: "1.2.3", critical: true, value: Uint8Array.of(5, 0) };

/** A certificate with these extensions only; what its signature says does not matter here. */
function withExtensions(...extensions: Extension[]): Certificate {
  const algorithm = der.sequence(der.oid(OID.ecdsaWithSha256));
  const list = extensions.length === 0 ? [] : [der.explicit(3, der.sequence(...extensions.map(encodeExtension)))];
  const validity = der.sequence(der.time(new Date(0)), der.time(new Date(0)));
  const head = [der.explicit(0, der.integer(2)), der.integer(1), algorithm, der.sequence(), validity, der.sequence()];
  const tbs = der.sequence(...head, der.sequence(), ...list);
  return parseCertificate(der.sequence(tbs, algorithm, der.bitString(new Uint8Array(1))), "certificate");
}

describe("the poison", () => {
  test("is taken out wherever it stands, and nothing else changes", () => {
    const without = withExtensions(OTHER, { ...OTHER, oid: "1.2.4" });
    for (const place of [0, 1, 2]) {
      const extensions = [OTHER, { ...OTHER, oid: "1.2.4" }].toSpliced(place, 0, POISON);
      expect(removePoison(withExtensions(...extensions))).toEqual(without.tbs);
    }
  });

  test("alone leaves no extension list behind", () => {
    expect(removePoison(withExtensions(POISON))).toEqual(withExtensions().tbs);
  });

  test("marks a precertificate", async () => {
    const request = leafRequest();
    expect(isPrecertificate(parseCertificate((await ca.issuer.precertificate(request)).der, "pre"))).toBe(true);
    expect(isPrecertificate(parseCertificate(await ca.issuer.certificate(request, [sct()]), "final"))).toBe(false);
  });

  test.for<[string, Extension[], string]>([
    ["it is missing", [OTHER], "no poison extension"],
    ["it is not critical", [{ ...POISON, critical: false }], "not critical NULL"],
    ["it holds something else", [{ ...POISON, value: Uint8Array.of(4, 0) }], "not critical NULL"],
    ["it holds more", [{ ...POISON, value: Uint8Array.of(5, 0, 0) }], "not critical NULL"],
    ["an SCT list stands beside it", [SCT_LIST, POISON], "has an SCT list"],
  ])("is refused when %s", ([, extensions, reason]) => {
    expect(() => removePoison(withExtensions(...extensions))).toThrow(Malformed);
    expect(() => removePoison(withExtensions(...extensions))).toThrow(reason);
  });
});

describe("the SCT list", () => {
  test("is taken out, and there are no SCTs without one", () => {
    expect(removeSctList(withExtensions(OTHER, SCT_LIST))).toEqual(withExtensions(OTHER).tbs);
    expect(embeddedScts(withExtensions(OTHER))).toEqual([]);
    expect(() => removeSctList(withExtensions(OTHER))).toThrow("no SCT list");
  });

  test.for<[string, Uint8Array]>([
    ["without the inner OCTET STRING", encodeSctList([sct()])],
    ["with bytes after it", Uint8Array.of(...SCT_LIST.value, 0)],
    ["that is empty", der.octetString(Uint8Array.of(0, 0))],
  ])("%s is refused", ([, value]) => {
    expect(() => embeddedScts(withExtensions({ ...SCT_LIST, value }))).toThrow(Malformed);
  });
});
