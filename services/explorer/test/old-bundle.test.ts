import { beforeAll, expect, test } from "vitest";
import { leafHash } from "../src/web/proof/inclusion.ts";
import { parseOldBundle } from "../src/web/proof/old-bundle.ts";
import { type Bundle, bundleWorld } from "./bundle-world.ts";

/** As cosign 2 writes it with `sign-blob --bundle`. */
function written({ verificationMaterial, messageSignature }: Bundle) {
  const [entry] = verificationMaterial.tlogEntries;
  const der = verificationMaterial.certificate?.rawBytes ?? "";
  const pem = `-----BEGIN CERTIFICATE-----\n${der.replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
  const Payload = { body: entry?.["canonicalizedBody"], integratedTime: 1, logIndex: 7, logID: "00" };
  return {
    base64Signature: messageSignature?.signature,
    cert: Buffer.from(pem).toString("base64"),
    rekorBundle: { SignedEntryTimestamp: "AA==", Payload },
  };
}

let one: ReturnType<typeof written>;
let other: ReturnType<typeof written>;
beforeAll(async () => {
  const world = await bundleWorld();
  const bundles = await Promise.all([world.bundle("v1 file"), world.bundle("v1 file", { text: "another" })]);
  [one, other] = bundles.map(written) as [typeof one, typeof other];
});

test("cosign 2's older bundle is known for what it is, and leads to its entry", () => {
  const leaf = leafHash(Buffer.from(String(one.rekorBundle.Payload.body), "base64")).toHex();
  const told = { leafHash: leaf, logIndex: "7", isOfEntry: true };
  expect(parseOldBundle(JSON.stringify(one))).toEqual(told);
  expect(parseOldBundle(JSON.stringify({ ...one, cert: Buffer.from(one.cert, "base64").toString() }))).toEqual(told);
});

test("with another's signature, certificate or entry it is not of its entry", () => {
  for (const name of ["base64Signature", "cert", "rekorBundle"] as const) {
    expect(parseOldBundle(JSON.stringify({ ...one, [name]: other[name] }))?.isOfEntry).toBe(false);
  }
});

test.for(["", "{}", '{"rekorBundle":{}}', "[1]", '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}'])(
  "nothing else is taken for one: %s",
  (text) => {
    expect(parseOldBundle(text)).toBeUndefined();
  },
);
