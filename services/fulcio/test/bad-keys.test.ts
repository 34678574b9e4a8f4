import "reflect-metadata";
import { parsePublicKey } from "@chancery/crypto";
import { der, encodePem, utf8 } from "@chancery/encoding";
import { InsecureKey } from "@chancery/fault";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BAD_KEYS, GOOD_KEYS } from "../../../libs/crypto/test/bad-keys.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { base64, clientKey, type FulcioUnderTest, startFulcio, v2Body } from "./fulcio-under-test.ts";

const email = "dev@example.com";
let issuer: FakeIssuer;
let fulcio: FulcioUnderTest;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  fulcio = await startFulcio({
    config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`,
  });
});
afterAll(async () => {
  await Promise.all([fulcio, issuer].map((part) => part?.[Symbol.asyncDispose]()));
});

const publicKey = (content: string | Uint8Array) => ({ algorithm: "", content: base64(content) });

/** RFC 2986, Section 4, with a signature of the right algorithm and no meaning. */
function request(spki: Uint8Array): string {
  const algorithm = der.sequence(der.oid("1.2.840.10045.4.3.2"));
  const signature = der.sequence(der.integer(1), der.integer(1));
  const information = der.sequence(der.integer(0), der.sequence(), spki, der.tlv(0xa0, new Uint8Array()));
  return encodePem("CERTIFICATE REQUEST", der.sequence(information, algorithm, der.bitString(signature)));
}

describe(`each of ${BAD_KEYS.length} bad keys gets no certificate`, () => {
  test("and there are at least forty", () => expect(BAD_KEYS.length).toBeGreaterThanOrEqual(40));

  test.for(BAD_KEYS)("%s", async ([, spki, Fault]) => {
    const pem = encodePem("PUBLIC KEY", spki);
    const authorization = `Bearer ${issuer.token()}`;
    const signedEmailAddress = base64(clientKey.prove(email));
    const answers = await Promise.all([
      fulcio.request("/api/v2/signingCert", { body: v2Body(issuer.token(), { pem }, clientKey.prove(email)) }),
      fulcio.request("/api/v1/signingCert", { body: { publicKey: publicKey(pem), signedEmailAddress }, authorization }),
      fulcio.request("/api/v1/signingCert", {
        body: { publicKey: publicKey(spki), signedEmailAddress },
        authorization,
      }),
      fulcio.request("/api/v2/signingCert", {
        body: {
          credentials: { oidcIdentityToken: issuer.token() },
          certificateSigningRequest: base64(request(spki)),
        },
      }),
    ]);
    for (const answer of answers) {
      expect(answer.status).toBe(400);
      expect(answer.body).not.toContain("CERTIFICATE-----");
    }
    // Upstream's sentence tells a weak key from an unreadable one.
    const sentence = Fault === InsecureKey ? "is insecure" : "could not be parsed";
    expect(answers[0].told()).toMatch(new RegExp(`^The public key supplied in the request ${sentence}`));
  });

  test("a key in DER that is text throughout is read as one", async () => {
    const prefix = Uint8Array.fromHex("302a300506032b6570032100");
    // Half of all points are on the curve.
    const texts = Array.from("abcdefghijklmnop", (end) => new TextDecoder().decode(prefix) + "A".repeat(31) + end);
    const pem = texts.find(isKey)!;
    const answer = await fulcio.request("/api/v2/signingCert", {
      body: v2Body(issuer.token(), { pem }, clientKey.prove(email)),
    });
    expect(answer.told()).toMatch(/^The signature supplied in the request could not be verified/);
  });

  test("a good key with another's proof does not either, nor did any of them reach the CT log", async () => {
    for (const spki of Object.values(GOOD_KEYS)) {
      const key = { pem: encodePem("PUBLIC KEY", spki) };
      const answer = await fulcio.request("/api/v2/signingCert", {
        body: v2Body(issuer.token(), key, clientKey.prove(email)),
      });
      expect(answer.told()).toMatch(/^The signature supplied in the request could not be verified/);
    }
    expect(fulcio.ctLog.submitted).toEqual([]);
    expect((await fulcio.enrol(issuer.token(), email)).status).toBe(200);
  });
});

function isKey(text: string): boolean {
  try {
    return parsePublicKey(utf8(text), "key").algorithm === "ed25519";
  } catch {
    return false;
  }
}
