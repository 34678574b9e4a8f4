import { ephemeralSigner, type PublicKey, type Signer } from "@chancery/crypto";
import { type LogLimits, MemoryAnchor, MemoryLogStore, TransparencyLog } from "@chancery/log";
import { createService, type RunningService } from "@chancery/service";
import { type SignedCertificateTimestamp, type SctJson, sctFromJson } from "@chancery/x509";
import { expect } from "vitest";
import { CertificateTransparencyLog, CtLogModule, ctTreeHeadSigner } from "../src/index.ts";
import { type Authority, createAuthority, leafRequest } from "./authority.ts";
import { checkPublicLog } from "./check-public-log.ts";

export const SHARD = "2026";
export const ORIGIN = `localhost/ctlog/${SHARD}`;

export interface CtWorldParts {
  readonly authority: Authority;
  readonly signer: Signer;
  readonly store: MemoryLogStore;
  readonly anchor: MemoryAnchor;
  readonly clock: () => number;
  readonly elapsed: () => number;
  readonly limits: Partial<LogLimits>;
}

export interface Submitted {
  readonly chain: readonly Uint8Array[];
  /** What the log has to have signed: the TBSCertificate without poison, or the certificate. */
  readonly signedEntry: Uint8Array;
  readonly sct: SignedCertificateTimestamp;
}

/** A CT log as Chancery runs it, over HTTP, on a store in memory. */
export class CtWorld implements AsyncDisposable {
  readonly submitted: Submitted[] = [];

  private constructor(
    readonly authority: Authority,
    readonly key: PublicKey,
    readonly log: TransparencyLog,
    readonly ct: CertificateTransparencyLog,
    readonly service: RunningService,
  ) {}

  static async start(parts: Partial<CtWorldParts> = {}): Promise<CtWorld> {
    const { authority = await createAuthority(), signer = ephemeralSigner("ecdsa-p256"), ...rest } = parts;
    const { store = new MemoryLogStore(), anchor = new MemoryAnchor(), clock = Date.now, limits = {}, elapsed } = rest;
    const heads = ctTreeHeadSigner({ origin: ORIGIN, signer });
    const create = (await anchor.read()) === undefined;
    const time = elapsed === undefined ? { clock } : { clock, elapsed };
    const log = await TransparencyLog.open({ name: "ct", create, store, anchor, signer: heads, ...time, limits });
    const module = CtLogModule.forRoot({ shard: SHARD, roots: [authority.root] }, { log, signer });
    const service = await createService({ modules: [module] });
    return new CtWorld(authority, signer.publicKey, log, service.app.get(CertificateTransparencyLog), service);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service.close();
    await this.log.close();
  }

  /** Below the shard's prefix. */
  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`${this.service.url}/ctlog/${SHARD}/${path}`, init);
  }

  async get<T>(path: string): Promise<T> {
    const response = await this.fetch(path);
    const body = await response.text();
    expect(response.status, body).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    return JSON.parse(body) as T;
  }

  add(api: "add-chain" | "add-pre-chain", chain: readonly Uint8Array[]): Promise<Response> {
    const body = JSON.stringify({ chain: chain.map((der) => Buffer.from(der).toString("base64")) });
    return this.fetch(`ct/v1/${api}`, { method: "POST", body });
  }

  async submitPrecertificate(request = leafRequest()): Promise<Submitted> {
    const { der: precertificate, tbs } = await this.authority.issuer.precertificate(request);
    return this.#submit("add-pre-chain", precertificate, tbs);
  }

  async submitCertificate(request = leafRequest()): Promise<Submitted> {
    const certificate = await this.authority.issuer.unloggedCertificate(request);
    return this.#submit("add-chain", certificate, certificate);
  }

  /** Everything the log promised and published, derived anew from what anyone can read. */
  async check(size: number): Promise<void> {
    await checkPublicLog(this, size);
  }

  async #submit(api: "add-chain" | "add-pre-chain", leaf: Uint8Array, signedEntry: Uint8Array): Promise<Submitted> {
    const chain = [leaf, this.authority.intermediate.der, this.authority.root.der];
    const response = await this.add(api, chain);
    const body = await response.text();
    expect(response.status, body).toBe(200);
    const sct = sctFromJson(JSON.parse(body) as SctJson, "sct");
    const submitted = { chain, signedEntry, sct };
    this.submitted.push(submitted);
    return submitted;
  }
}
