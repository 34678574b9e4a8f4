import { Fault } from "@chancery/fault";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isEmailAddress } from "../src/domain/issuers/email.ts";
import { parseIdentityToken } from "@chancery/identity";
import type { Principal } from "../src/domain/principal.ts";
import { provenKey } from "../src/domain/proof-of-possession.ts";
import { parseTemplate, renderTemplate } from "../src/domain/template.ts";
import { canonicalUri, joinPath, parseUri } from "../src/domain/uri.ts";
import { parseV1Request, parseV2Request } from "../src/http/signing-request.ts";
import { parseFulcioConfig } from "../src/index.ts";
import { encode } from "./fake-issuer.ts";

/** Runs to a result or to a fault; anything else would be a 500. */
function result<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

const anyJson = fc.json({ maxDepth: 4 });
const anyBytes = fc.uint8Array({ maxLength: 300 });

describe("whatever comes in, what comes out is a result or a fault", () => {
  test("for identity tokens", () => {
    const part = fc.oneof(
      anyJson.map((text) => encode(text)),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.tuple(part, part, part), (parts) => void result(() => parseIdentityToken(parts.join(".")))),
    );
  });

  test("for request bodies", () => {
    const member = fc.constantFrom(
      "credentials",
      "publicKeyRequest",
      "public_key",
      "content",
      "certificateSigningRequest",
    );
    const body = fc.oneof(
      anyBytes,
      anyJson.map((text) => new TextEncoder().encode(text)),
      fc
        .dictionary(member, fc.oneof(fc.string(), fc.dictionary(member, fc.jsonValue())))
        .map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(body, fc.string(), (bytes, authorization) => {
        result(() => parseV1Request(bytes, authorization));
        result(() => parseV2Request(bytes, authorization));
      }),
    );
  });

  test("for keys and signing requests", async () => {
    const pem = anyBytes.map((der) =>
      Buffer.from(`-----BEGIN PUBLIC KEY-----\n${Buffer.from(der).toString("base64")}\n-----END PUBLIC KEY-----\n`),
    );
    const principal: Principal = { name: "name", san: { type: "uri", value: "a:b" }, extensions: { issuer: "i" } };
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyBytes, pem), anyBytes, async (publicKey, signature) => {
        await expect(provenKey({ type: "challenge", publicKey, signature }, principal)).rejects.toThrow(Fault);
        await expect(provenKey({ type: "certificate-request", pem: publicKey }, principal)).rejects.toThrow(Fault);
      }),
    );
  });

  test("for templates", () => {
    const piece = fc.constantFrom(
      "{{",
      "}}",
      "{{ .a }}",
      '{{if eq .a "b"}}',
      "{{else}}",
      "{{end}}",
      "(",
      ")",
      "index",
      ".",
      '"',
      "x",
      " ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const template = result(() => parseTemplate(pieces.join(""), "key"));
        if (template !== undefined) result(() => renderTemplate(template, () => "b", true));
      }),
    );
  });

  test("for configurations", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), anyJson), (text) => void result(() => parseFulcioConfig(text))));
  });
});

describe("identities made of claims", () => {
  test("are URIs in ASCII without dot segments, under the origin they were put under", () => {
    const claim = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom("a", "/", ".", "%2e", "%2F", "%61", "%", "#", "?", "@", " ", "ü", "\\") }),
    );
    fc.assert(
      fc.property(claim, (text) => {
        const joined = result(() => joinPath("https://github.com", text));
        if (joined !== undefined) {
          expect(parseUri(joined, "uri")).toEqual({ scheme: "https", host: "github.com" });
          expect(new URL(joined).pathname.length).toBe(joined.length - "https://github.com".length);
          // Each segment is one of the claim's.
          expect(joined.split("/").length).toBe(3 + text.split("/").length);
        }
        const made = result(() => canonicalUri(`https://ci.example.com/${text}`, "uri"));
        if (made === undefined) return;
        expect(new URL(made).host).toBe("ci.example.com");
        // What a verifier that parses it and writes it again compares is what stands in the certificate.
        expect(canonicalUri(made, "uri")).toBe(made);
        expect(new URL(made).hash).toBe(made.includes("#") ? made.slice(made.indexOf("#")) : "");
      }),
      { numRuns: 2_000 },
    );
  });

  test("an address that is taken has one @ and no character that a mail header gives a meaning", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "@", ".", "-", '"', "(", ",", "<", " ", "\n", "é", "com") });
    fc.assert(
      fc.property(text, (address) => {
        if (isEmailAddress(address)) expect(address).toMatch(/^[^@\s"(),<>]+@[a-z-]+(\.[a-z-]+)+$/);
      }),
      { numRuns: 2_000 },
    );
  });
});
