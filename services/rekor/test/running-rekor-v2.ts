import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { ephemeralSigner, type KeyAlgorithm, type Signer } from "@chancery/crypto";
import { decodeBase64, utf8 } from "@chancery/encoding";
import { MemoryAnchor, MemoryLogStore, TransparencyLog } from "@chancery/log";
import { createService, type RunningService, type ServiceOptions } from "@chancery/service";
import { leafHash, verifyCheckpoint, verifyInclusion } from "@chancery/tlog";
import { expect } from "vitest";
import { type RekorV2Config, RekorV2Module, rekorV2TreeHeadSigner } from "../src/index.ts";

export const ORIGIN = "rekor.example.com";
export const ENTRIES = "/api/v2/log/entries";

export interface RunningRekorV2 extends AsyncDisposable {
  readonly service: RunningService;
  readonly log: TransparencyLog;
  readonly signer: Signer;
  post(body: unknown, headers?: Record<string, string>): Promise<Answer>;
  get(path: string): Promise<Answer & { readonly bytes: Uint8Array }>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are asserted on, member by member.
  readonly json: any;
}

/** The v2 API over a log in memory. */
export async function startRekorV2(
  algorithm: KeyAlgorithm = "ed25519",
  { admission, keyAlgorithms, ...edge }: Omit<RekorV2Config, "origin"> & Partial<ServiceOptions> = {},
): Promise<RunningRekorV2> {
  const signer = ephemeralSigner(algorithm);
  const log = await TransparencyLog.open({
    name: "rekor-v2",
    create: true,
    store: new MemoryLogStore(),
    anchor: new MemoryAnchor(),
    signer: rekorV2TreeHeadSigner({ origin: ORIGIN, signer }),
  });
  const service = await createService({
    modules: [
      RekorV2Module.forRoot({ origin: ORIGIN, admission, ...(keyAlgorithms && { keyAlgorithms }) }, { log, signer }),
    ],
    grpc: { port: 0 },
    ...edge,
  });
  const answer = async (method: "GET" | "POST", url: string, payload?: string, more: Record<string, string> = {}) => {
    const {
      statusCode: status,
      headers,
      body: text,
      rawPayload,
    } = await service.app.inject({
      method,
      url,
      ...(payload === undefined ? {} : { payload, headers: { "content-type": "application/json", ...more } }),
    });
    const isJson = String(headers["content-type"]).startsWith("application/json");
    return { status, headers, text, bytes: new Uint8Array(rawPayload), json: isJson ? JSON.parse(text) : undefined };
  };
  return {
    service,
    log,
    signer,
    post: (body, more) => answer("POST", ENTRIES, typeof body === "string" ? body : JSON.stringify(body), more),
    get: (path) => answer("GET", path),
    [Symbol.asyncDispose]: async () => {
      await service.close();
      await log.close();
    },
  };
}

export interface SigningKey {
  readonly keyDetails: string;
  readonly hash: string;
  readonly spki: Buffer;
  readonly privateKey: KeyObject;
}

export function newKey(namedCurve = "P-256", hash = "sha256", keyDetails = "PKIX_ECDSA_P256_SHA_256"): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve });
  return { keyDetails, hash, privateKey, spki: publicKey.export({ type: "spki", format: "der" }) };
}

export const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString("base64");

export function verifierOf({ spki, keyDetails }: SigningKey) {
  return { publicKey: { rawBytes: base64(spki) }, keyDetails };
}

/** A request as clients send it; `change` makes it another. */
export function hashedRekordRequest(artifact: string, key: SigningKey = newKey()) {
  const digest = createHash(key.hash).update(artifact).digest();
  const content = sign(key.hash, Buffer.from(artifact), key.privateKey);
  return {
    hashedRekordRequestV002: {
      digest: base64(digest),
      signature: { content: base64(content), verifier: verifierOf(key) },
    },
  };
}

/** An envelope as clients send it, and what its signature is over. */
export function dsseRequest(payload: string, key: SigningKey = newKey(), payloadType = "application/vnd.in-toto+json") {
  const encoded = `DSSEv1 ${payloadType.length} ${payloadType} ${Buffer.byteLength(payload)} ${payload}`;
  const sig = base64(sign(key.hash, Buffer.from(encoded), key.privateKey));
  return {
    encoded,
    sig,
    request: {
      dsseRequestV002: {
        envelope: { payload: base64(payload), payloadType, signatures: [{ sig, keyid: "hint" }] },
        verifiers: [verifierOf(key)],
      },
    },
  };
}

/** Verifies an answer as an offline client does, with nothing but the log's origin and key; returns its leaf. */
export function expectProven(answer: Answer, { signer }: RunningRekorV2): Record<string, unknown> {
  expect(answer.status, answer.text).toBe(201);
  const { canonicalizedBody, inclusionProof: proof, logIndex } = answer.json;
  const body = decodeBase64(canonicalizedBody, "body");
  const checkpoint = verifyCheckpoint(utf8(proof.checkpoint.envelope), ORIGIN, signer.publicKey);
  expect(base64(checkpoint.root)).toBe(proof.rootHash);
  expect(String(checkpoint.size)).toBe(proof.treeSize);
  expect(proof.logIndex).toBe(logIndex);
  const path = (proof.hashes as string[]).map((hash) => decodeBase64(hash, "hash"));
  verifyInclusion({ index: BigInt(logIndex), size: checkpoint.size, path }, leafHash(body), checkpoint);
  return JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>;
}
