import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import type { ChanceryProcess } from "@chancery/testing";
import type { LoadRequest } from "./closed-loop.ts";
import { json } from "./scenario.ts";

/** A key, and a certificate of the stack's own CA for it: what cosign signs with. */
export interface Certified {
  readonly privateKey: KeyObject;
  readonly pem: string;
  readonly der: string;
}

const EMAIL = "bench@example.com";

/** As many as a busy hour has signers; each signs many artifacts here, where in life it signs one. */
export async function certificates(stack: ChanceryProcess, count: number): Promise<readonly Certified[]> {
  const token = await stack.token(EMAIL);
  const all: Certified[] = [];
  while (all.length < count) all.push(await certificate(stack.url, token));
  return all;
}

async function certificate(url: string, token: string): Promise<Certified> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { body } = json({
    credentials: { oidcIdentityToken: token },
    publicKeyRequest: {
      publicKey: { algorithm: "ECDSA", content: publicKey.export({ type: "spki", format: "pem" }) },
      proofOfPossession: sign("sha256", Buffer.from(EMAIL), privateKey).toString("base64"),
    },
  });
  const answer = await fetch(`${url}/api/v2/signingCert`, { method: "POST", body: new Uint8Array(body ?? []) });
  const issued = (await answer.json()) as { signedCertificateEmbeddedSct: { chain: { certificates: [string] } } };
  const [pem] = issued.signedCertificateEmbeddedSct.chain.certificates;
  return { privateKey, pem, der: pem.replaceAll(/-----[^-]*-----|\s/g, "") };
}

/** Entries of the v1 API, every one new, about 2.1 kB on the wire and 1.4 kB in the log; and what each is found by. */
export function v1Entries(signers: readonly Certified[], count: number) {
  const hashes: string[] = [];
  const requests = artifacts(signers, count, ({ privateKey, pem }, artifact, digest): LoadRequest => {
    hashes.push(digest.toString("hex"));
    const publicKey = { content: Buffer.from(pem).toString("base64") };
    const signature = { content: sign("sha256", artifact, privateKey).toString("base64"), publicKey };
    const data = { hash: { algorithm: "sha256", value: digest.toString("hex") } };
    const entry = { apiVersion: "0.0.1", kind: "hashedrekord", spec: { data, signature } };
    return { method: "POST", path: "/api/v1/log/entries", ...json(entry) };
  });
  return { requests, hashes };
}

/** The same for the v2 API. */
export function v2Entries(signers: readonly Certified[], count: number): readonly LoadRequest[] {
  return artifacts(signers, count, ({ privateKey, der }, artifact, digest) => {
    const verifier = { x509Certificate: { rawBytes: der }, keyDetails: "PKIX_ECDSA_P256_SHA_256" };
    const signature = { content: sign("sha256", artifact, privateKey).toString("base64"), verifier };
    const request = { hashedRekordRequestV002: { digest: digest.toString("base64"), signature } };
    return { method: "POST", path: "/api/v2/log/entries", ...json(request) };
  });
}

function artifacts(
  signers: readonly Certified[],
  count: number,
  make: (signer: Certified, artifact: Buffer, digest: Buffer) => LoadRequest,
): readonly LoadRequest[] {
  return Array.from({ length: count }, (_, place) => {
    const signer = signers[place % signers.length];
    if (signer === undefined) throw new RangeError("no signer");
    const artifact = randomBytes(32);
    return make(signer, artifact, createHash("sha256").update(artifact).digest());
  });
}
