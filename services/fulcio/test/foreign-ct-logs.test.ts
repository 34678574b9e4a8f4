import { X509Certificate } from "node:crypto";
import { parsePublicKey } from "@chancery/crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RemoteCtLog } from "../src/index.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { createTestAuthority, leafOf, startFulcio, type TestAuthority } from "./fulcio-under-test.ts";
import { IndependentCtLog, leafIndex } from "./independent-ct-log.ts";

let issuer: FakeIssuer;
let authority: TestAuthority;
beforeAll(async () => {
  [issuer, authority] = await Promise.all([FakeIssuer.start(), createTestAuthority()]);
});
afterAll(() => issuer[Symbol.asyncDispose]());

/** Certificates from an authority that logs into `log`, which it knows by URL and key and nothing else. */
async function enrolled(log: IndependentCtLog, count: number, under = authority) {
  await using fulcio = await startFulcio({
    config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`,
    authority: under,
    ctLog: { link: new RemoteCtLog({ url: log.url }), key: parsePublicKey(log.spki, "log") },
  });
  const answers = [];
  for (let at = 0; at < count; at++) answers.push(await fulcio.enrol(issuer.token(), "dev@example.com"));
  return answers;
}

describe.for([
  ["RFC 6962", "ec"],
  ["RFC 6962", "rsa"],
  ["static-ct-api", "ec"],
] as const)("with a %s log of another program (%s key)", ([kind, keyType]) => {
  test("each certificate carries that log's SCT, which verifies as RFC 6962 says", async () => {
    const [issuing, root] = authority.chain;
    await using log = await IndependentCtLog.start(kind, keyType, root.der);
    const answers = await enrolled(log, 3);
    expect(log.entries).toHaveLength(3);
    for (const [at, answer] of answers.entries()) {
      expect([answer.status, Object.keys(answer.json() as object)]).toEqual([200, ["signedCertificateEmbeddedSct"]]);
      const leaf = leafOf(answer);
      const { logId, extensions, isValid } = log.embeddedSct(leaf, issuing.der);
      expect(isValid).toBe(true);
      expect(logId).toEqual(log.logId);
      expect(extensions).toEqual(kind === "static-ct-api" ? leafIndex(at) : Buffer.alloc(0));
      expect(log.tbsOf(leaf)).toEqual(log.entries[at]);
      expect(new X509Certificate(leaf).verify(new X509Certificate(issuing.der).publicKey)).toBe(true);
    }
  });

  test("that does not know our root nothing is issued", async () => {
    await using log = await IndependentCtLog.start(kind, keyType, authority.chain[1].der);
    const [answer] = await enrolled(log, 1, await createTestAuthority());
    expect(answer!.status).toBe(500);
    expect(answer!.told()).toBe("Error entering certificate in CTL: the CT log answers with status 400");
    expect(answer!.body).not.toContain("CERTIFICATE");
    expect(log.entries).toHaveLength(0);
  });
});
