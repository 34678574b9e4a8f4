import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ephemeralSigner, spkiHash } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import { Forbidden } from "@chancery/fault";
import { inlineKeys, parseClaimPath, parseGlob, parseKeySet, type TokenRule } from "@chancery/identity";
import { createLogger } from "@chancery/service";
import { type Certificate, parseCertificatesPem } from "@chancery/x509";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { Admission, type AdmissionRules } from "../src/domain/admission.ts";
import type { ProposedEntry } from "../src/domain/entries/entry-kind.ts";
import { parseEntry } from "../src/domain/entries/entry-kinds.ts";
import { keyDigest } from "../src/domain/pki/signing-key.ts";
import { aCertificate, dsse, everyKind, hashedrekord, intoto2, keyPem } from "./proposals.ts";
import { ENTRIES, startRekor } from "./running-rekor.ts";
import { hashedRekordRequest, newKey, startRekorV2 } from "./running-rekor-v2.ts";

const ISSUER = "https://login.example.com";
const AUDIENCE = "rekor.example.com";

let rule: TokenRule;
let sign: (claims?: JWTPayload) => Promise<string>;
let signAsAnother: () => Promise<string>;
beforeAll(async () => {
  const [own, other] = await Promise.all([generateKeyPair("ES256", { extractable: true }), generateKeyPair("ES256")]);
  const keys = parseKeySet(Buffer.from(JSON.stringify({ keys: [await exportJWK(own.publicKey)] })));
  rule = { issuer: ISSUER, audience: AUDIENCE, keys: inlineKeys(keys), claims: [] };
  const token = (key: CryptoKey, claims: JWTPayload) => {
    const now = Math.floor(Date.now() / 1000);
    const standard = { iss: ISSUER, aud: AUDIENCE, sub: "repo:acme/app", iat: now, exp: now + 300 };
    return new SignJWT({ ...standard, ...claims }).setProtectedHeader({ alg: "ES256" }).sign(key);
  };
  sign = (claims = {}) => token(own.privateKey, claims);
  signAsAnother = () => token(other.privateKey, {});
});

const claim = (name: string, text: string) => ({ name, path: parseClaimPath(name)!, globs: [parseGlob(text)!] });
const admissionOf = (keys: ReadonlySet<string>) => new Admission({ signers: { authorities: [], keys } });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const tokensOnly = (...rules: TokenRule[]): AdmissionRules => ({ callers: { tokens: rules, certificates: [] } });
const authoritiesOf = (chain: readonly string[]): Certificate[] => parseCertificatesPem(chain[1]!, "authority");
const digest = (pem: string) => createHash("sha256").update(pem).digest("hex");

describe("a log that takes entries from known callers", () => {
  test("takes one with a token of a configured issuer, and nothing is logged of any other", async () => {
    const lines: string[] = [];
    const logger = createLogger({ level: "debug", human: false, write: (line) => lines.push(line) });
    await using rekor = await startRekor({ admission: tokensOnly(rule) }, { logger, accessLog: true });
    const proposal = await hashedrekord();
    const tokens: [string, string | undefined, string][] = [
      ["none", undefined, "this log takes entries from known callers only"],
      ["no token at all", "nonsense", "the token is not a compact JWS"],
      ["another issuer", await sign({ iss: "https://elsewhere.example" }), "the token's issuer is not accepted here"],
      ["another audience", await sign({ aud: "sigstore" }), "the token is for another audience"],
      ["an old one", await sign({ iat: 1, exp: 2 }), "the token is expired"],
      ["a long one", await sign({ exp: Math.floor(Date.now() / 1000) + 10 ** 6 }), "the token is valid for more than"],
      ["another key", await signAsAnother(), "the token's signature is not one of its issuer's"],
    ];
    for (const [name, token, reason] of tokens) {
      const refused = await rekor.request("POST", ENTRIES, proposal, token === undefined ? {} : bearer(token));
      expect([name, refused.status, refused.json.code], refused.text).toEqual([name, 401, 401]);
      expect(refused.json.message).toContain(reason);
      expect(refused.json.message).toMatch(`: send a bearer token of ${ISSUER} for the audience ${AUDIENCE}`);
      expect(refused.headers["www-authenticate"]).toBe("Bearer");
    }
    expect((await rekor.log.published()).head.size).toBe(0n);
    const token = await sign();
    expect((await rekor.request("POST", ENTRIES, proposal, bearer(token))).status).toBe(201);
    expect((await rekor.request("GET", `${ENTRIES}?logIndex=0`)).status).toBe(200);
    const logged = lines.join("\n");
    expect(logged).toContain(ENTRIES);
    for (const [, sent] of [...tokens, ["", token, ""] as const]) {
      if (sent?.startsWith("ey") === true) expect(logged).not.toContain(sent.slice(0, 60));
    }
  });

  test("says to whom it listens", async () => {
    await using rekor = await startRekor({ admission: tokensOnly(rule) });
    const { json } = await rekor.request("POST", ENTRIES, await hashedrekord());
    expect(json).toEqual({
      code: 401,
      message: `this log takes entries from known callers only: send a bearer token of ${ISSUER} for the audience ${AUDIENCE}`,
    });
  });

  test("does not read what a stranger sends", async () => {
    await using rekor = await startRekor({ admission: tokensOnly(rule) });
    expect((await rekor.request("POST", ENTRIES, { kind: "nonsense" })).status).toBe(401);
    expect((await rekor.request("POST", ENTRIES, { kind: "nonsense" }, bearer(await sign()))).status).toBe(422);
  });

  test("does not verify proposals for a stranger who looks them up, and lets everyone read", async () => {
    await using rekor = await startRekor({ admission: tokensOnly(rule) });
    const proposal = await hashedrekord();
    expect((await rekor.request("POST", ENTRIES, proposal, bearer(await sign()))).status).toBe(201);
    const lookUp = (query: object, headers = {}) => rekor.request("POST", `${ENTRIES}/retrieve`, query, headers);
    const { signature } = (await hashedrekord()).spec;
    for (const entry of [proposal, { ...proposal, spec: { ...proposal.spec, signature } }]) {
      expect((await lookUp({ entries: [entry] })).status).toBe(401);
    }
    expect((await lookUp({ entries: [proposal] }, bearer(await sign()))).json).toHaveLength(1);
    expect((await lookUp({ logIndexes: [0] })).json).toHaveLength(1);
  });

  test("lets in by claims, any of several rules", async () => {
    await using rekor = await startRekor({
      admission: tokensOnly(
        { ...rule, claims: [claim("sub", "repo:acme/*")] },
        { ...rule, claims: [claim("groups", "signers"), claim("/org/name", "acme")] },
      ),
    });
    const post = async (claims: JWTPayload) =>
      (await rekor.request("POST", ENTRIES, await hashedrekord(), bearer(await sign(claims)))).status;
    expect(await post({ sub: "repo:acme/app" })).toBe(201);
    expect(await post({ sub: "repo:acme/app/evil" })).toBe(403);
    expect(await post({ sub: "repo:evil/app" })).toBe(403);
    expect(await post({ sub: "x", groups: ["others", "signers"], org: { name: "acme" } })).toBe(201);
    expect(await post({ sub: "x", groups: ["others", "signers"], org: { name: "evil" } })).toBe(403);
    const { json } = await rekor.request("POST", ENTRIES, await hashedrekord(), bearer(await sign({ sub: "x" })));
    expect(json).toEqual({
      code: 403,
      message: "claims of the token are not among those that are let in: sub, groups",
    });
  });

  test("holds the v2 API to it, over HTTP", async () => {
    await using rekor = await startRekorV2("ed25519", { admission: tokensOnly(rule) });
    const refused = await rekor.post(hashedRekordRequest("one"));
    expect([refused.status, refused.json.code, refused.headers["www-authenticate"]]).toEqual([401, 16, "Bearer"]);
    expect((await rekor.log.published()).head.size).toBe(0n);
    expect((await rekor.post(hashedRekordRequest("one"), bearer(await sign()))).status).toBe(201);
  });
});

describe("a log that takes entries of known signers", () => {
  test("takes certificates of its own CA, of every generation, and no others", async () => {
    const [now, before, foreign] = await Promise.all(
      [1, 2, 3].map(() => aCertificate([{ type: "email", value: "a@b.example" }])),
    );
    const authorities = [...authoritiesOf(now!.chain), ...authoritiesOf(before!.chain)];
    await using rekor = await startRekor({ admission: { signers: { authorities, keys: new Set() } } });
    for (const { signer, leaf } of [now!, before!]) await rekor.logged(await hashedrekord({ signer, verifier: leaf }));
    for (const proposal of [
      await hashedrekord({ signer: foreign!.signer, verifier: foreign!.leaf }),
      // Its chain is whole, and is not ours: what the sender calls an authority counts for nothing.
      await hashedrekord({ signer: foreign!.signer, verifier: foreign!.chain.join("") }),
      // The right key without its certificate.
      await hashedrekord({ signer: now!.signer }),
      await dsse({ signers: [now!.signer, foreign!.signer], verifiers: [now!.leaf, foreign!.leaf] }),
      await intoto2(),
    ]) {
      const refused = await rekor.request("POST", ENTRIES, proposal);
      expect([refused.status, refused.json.code]).toEqual([403, 403]);
      expect(refused.json.message).toMatch(
        /^this log takes only signatures with certificates of this installation's authority; [0-9a-f]{64} is not one of them$/,
      );
    }
    expect((await rekor.log.published()).head.size).toBe(2n);
    await rekor.logged(await dsse({ signers: [now!.signer, before!.signer], verifiers: [now!.leaf, before!.leaf] }));
  });

  test("takes listed keys bare, and not in a certificate that their holder made with any name", async () => {
    const [signer, listed] = [
      ephemeralSigner("ecdsa-p256"),
      await aCertificate([{ type: "email", value: "a@b.example" }]),
    ];
    const own = await aCertificate([{ type: "email", value: "chief@b.example" }]);
    const whole = parseCertificatesPem(listed.leaf, "leaf")[0]!.der;
    const keys = new Set([
      ...[signer, own.signer].map(({ publicKey }) => encodeHex(spkiHash(publicKey))),
      createHash("sha256").update(whole).digest("hex"),
    ]);
    await using rekor = await startRekor({ admission: { signers: { authorities: [], keys } } });
    await rekor.logged(await hashedrekord({ signer }));
    await rekor.logged(await hashedrekord({ signer: own.signer }));
    await rekor.logged(await hashedrekord({ signer: listed.signer, verifier: listed.leaf }));
    const selfMade = await hashedrekord({ signer: own.signer, verifier: own.leaf });
    expect((await rekor.request("POST", ENTRIES, selfMade)).status).toBe(403);
    expect((await rekor.request("POST", ENTRIES, await hashedrekord())).status).toBe(403);
  });

  test("holds the v2 API to it", async () => {
    const key = newKey();
    const keys = new Set([createHash("sha256").update(key.spki).digest("hex")]);
    await using rekor = await startRekorV2("ed25519", { admission: { signers: { authorities: [], keys } } });
    expect((await rekor.post(hashedRekordRequest("one", key))).status).toBe(201);
    const refused = await rekor.post(hashedRekordRequest("two"));
    expect([refused.status, refused.json.code]).toEqual([403, 7]);
  });

  test("asks both questions where it is told both", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const keys = new Set([encodeHex(spkiHash(signer.publicKey))]);
    const admission = { ...tokensOnly(rule), signers: { authorities: [], keys } };
    await using rekor = await startRekor({ admission });
    const post = async (proposal: object, headers = {}) =>
      (await rekor.request("POST", ENTRIES, proposal, headers)).status;
    expect(await post(await hashedrekord({ signer }))).toBe(401);
    expect(await post(await hashedrekord(), bearer(await sign()))).toBe(403);
    expect(await post(await hashedrekord({ signer }), bearer(await sign()))).toBe(201);
  });
});

describe("every kind of entry", () => {
  const samples = readdirSync(join(import.meta.dirname, "kinds"))
    .filter((name) => name.endsWith(".json"))
    .flatMap(
      (name) =>
        JSON.parse(readFileSync(join(import.meta.dirname, "kinds", name), "utf8")) as { proposed: ProposedEntry }[],
    )
    .map(({ proposed }) => proposed);

  test("has signers, whose keys are let in by their fingerprints and kept out without", async () => {
    const kinds = new Set<string>();
    for (const proposed of [...samples, ...(await everyKind())]) {
      const { signers } = await parseEntry(proposed);
      expect(signers.length, proposed.kind).toBeGreaterThan(0);
      const refusal = thrown(() => admissionOf(new Set([digest("another")])).assertSigners(signers));
      expect(refusal, proposed.kind).toBeInstanceOf(Forbidden);
      // What a refusal says is what an operator would list.
      const named = signers.map((signer) => /([0-9a-f]{64}) is not/.exec(refusalOf(signer))![1]!);
      admissionOf(new Set(named)).assertSigners(signers);
      kinds.add(proposed.kind);
    }
    expect([...kinds].sort()).toEqual(
      "alpine cose dsse hashedrekord helm intoto jar rekord rfc3161 rpm tuf".split(" "),
    );
  });
});

function refusalOf(signer: Parameters<typeof keyDigest>[0]): string {
  const rules = { signers: { authorities: [], keys: new Set([digest("another")]) } };
  return (thrown(() => new Admission(rules).assertSigners([signer])) as Error).message;
}

function thrown(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

test("a key's fingerprint is that of its SPKI, as openssl tells it", async () => {
  const signer = ephemeralSigner("ecdsa-p256");
  const der = Buffer.from(keyPem(signer).replaceAll(/-----.*-----|\n/g, ""), "base64");
  expect(encodeHex(spkiHash(signer.publicKey))).toBe(createHash("sha256").update(der).digest("hex"));
});
