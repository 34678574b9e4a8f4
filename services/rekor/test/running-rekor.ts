import { expect } from "vitest";
import { ephemeralSigner, parsePublicKeyPem, type Signer, verifySignature } from "@chancery/crypto";
import { decodeBase64, decodeHex, encodeHex, utf8 } from "@chancery/encoding";
import { MemoryAnchor, MemoryLogStore, TransparencyLog } from "@chancery/log";
import { createService, type RunningService, type ServiceOptions } from "@chancery/service";
import { leafHash, verifyCheckpoint, verifyInclusion } from "@chancery/tlog";
import type { Proposal } from "./proposals.ts";
import { type RekorConfig, RekorModule, rekorTreeHeadSigner } from "../src/index.ts";

export const HOSTNAME = "rekor.example.com";
export const TREE_ID = 1193050959916656506n;
export const TREE_ID_HEX = TREE_ID.toString(16).padStart(16, "0");
export const ORIGIN = `${HOSTNAME} - ${TREE_ID}`;

export const ENTRIES = "/api/v1/log/entries";

export interface RunningRekor extends AsyncDisposable {
  readonly url: string;
  readonly service: RunningService;
  readonly log: TransparencyLog;
  readonly signer: Signer;
  /** The log's key, as the API answers it. */
  readonly pem: string;
  /** Logs a proposal, verifies the answer, and returns its entry ID. */
  logged(proposal: Proposal): Promise<string>;
  request(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | undefined>;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are asserted on, member by member.
  readonly json: any;
}

/** The API over a log in memory, listening on a free port. */
export async function startRekor(
  config: Partial<RekorConfig> = {},
  edge: Partial<ServiceOptions> = {},
): Promise<RunningRekor> {
  const signer = ephemeralSigner("ecdsa-p256");
  const identity = { hostname: HOSTNAME, treeId: TREE_ID };
  const log = await TransparencyLog.open({
    name: "rekor",
    create: true,
    store: new MemoryLogStore(),
    anchor: new MemoryAnchor(),
    signer: rekorTreeHeadSigner({ ...identity, signer }),
  });
  const service = await createService({
    modules: [RekorModule.forRoot({ ...identity, ...config }, { log, signer })],
    ...edge,
  });
  const request = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    answerOf(service, method, path, body, headers);
  const pem = (await request("GET", "/api/v1/log/publicKey")).text;
  return {
    url: service.url,
    service,
    log,
    signer,
    pem,
    request,
    logged: async (proposal) => {
      const answer = await request("POST", ENTRIES, proposal);
      expect(answer.status, answer.text).toBe(201);
      return expectProven(answer.json, pem);
    },
    [Symbol.asyncDispose]: async () => {
      await service.close();
      await log.close();
    },
  };
}

async function answerOf(
  service: RunningService,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Answer> {
  const payload = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  const answer = await service.app.inject({
    method: method as "GET",
    url: path,
    headers: { ...(payload !== undefined && { "content-type": "application/json" }), ...headers },
    ...(payload !== undefined && { payload }),
  });
  const isJson = String(answer.headers["content-type"]).startsWith("application/json") && answer.body !== "";
  return {
    status: answer.statusCode,
    headers: answer.headers as Record<string, string | undefined>,
    text: answer.body,
    json: isJson ? JSON.parse(answer.body) : undefined,
  };
}

/** An entry as the API answers it. */
export interface AnsweredEntry {
  readonly body: string;
  readonly integratedTime: number;
  readonly logID: string;
  readonly logIndex: number;
  readonly attestation?: { readonly data: string };
  readonly verification: {
    readonly signedEntryTimestamp: string;
    readonly inclusionProof: {
      readonly checkpoint: string;
      readonly hashes: readonly string[];
      readonly logIndex: number;
      readonly rootHash: string;
      readonly treeSize: number;
    };
  };
}

export function onlyEntry(answer: Record<string, AnsweredEntry>): AnsweredEntry {
  const entries = Object.values(answer);
  expect(entries).toHaveLength(1);
  return entries[0]!;
}

/**
 * Verifies one answered entry as an offline client does, from nothing but the answer and the log's public key, and
 * returns its ID.
 */
export function expectProven(answer: Record<string, AnsweredEntry>, pem: string): string {
  const key = parsePublicKeyPem(pem, "key");
  const entry = onlyEntry(answer);
  const [entryId = ""] = Object.keys(answer);
  expect(entryId).toMatch(new RegExp(`^${TREE_ID_HEX}[0-9a-f]{64}$`));
  const hash = leafHash(decodeBase64(entry.body, "body"));
  expect(entryId.slice(16)).toBe(encodeHex(hash));
  const { inclusionProof, signedEntryTimestamp } = entry.verification;
  const checkpoint = verifyCheckpoint(utf8(inclusionProof.checkpoint), ORIGIN, key, HOSTNAME);
  expect(inclusionProof.checkpoint.match(/^— /gm)).toHaveLength(1);
  expect(encodeHex(checkpoint.root)).toBe(inclusionProof.rootHash);
  expect(Number(checkpoint.size)).toBe(inclusionProof.treeSize);
  expect(inclusionProof.logIndex).toBe(entry.logIndex);
  const path = inclusionProof.hashes.map((node) => decodeHex(node, "hash"));
  verifyInclusion({ index: BigInt(entry.logIndex), size: checkpoint.size, path }, hash, checkpoint);
  // RFC 8785 by hand: an oracle that shares no code with the encoder.
  const promised = `{"body":"${entry.body}","integratedTime":${entry.integratedTime},"logID":"${entry.logID}","logIndex":${entry.logIndex}}`;
  expect(verifySignature(key, utf8(promised), decodeBase64(signedEntryTimestamp, "set"))).toBe(true);
  expect(Math.abs(Date.now() / 1000 - entry.integratedTime)).toBeLessThan(60);
  return entryId;
}
