import type { Signer } from "@chancery/crypto";
import type { Caller } from "@chancery/identity";
import {
  type Appended,
  type NewEntry,
  type PublishedCheckpoint,
  tileResource,
  type TransparencyLog,
} from "@chancery/log";
import type { InclusionProof } from "@chancery/tlog";
import { Admission } from "../admission.ts";
import type { WritePolicy } from "../write-policy.ts";
import { type RekorV2Identity, v2LogId } from "./tree-head-signer.ts";

/** An entry with what a client needs to verify it offline: dev.sigstore.rekor.v1.TransparencyLogEntry. */
export interface LoggedV2Entry {
  readonly logId: Uint8Array;
  readonly body: Uint8Array;
  readonly proof: InclusionProof;
  readonly checkpoint: PublishedCheckpoint;
}

export interface CreatedV2Entry {
  readonly entry: LoggedV2Entry;
  /** The log had it before, at the index of the proof. */
  readonly duplicate: boolean;
}

/** Its entries are of one kind, and nothing is kept beside them. */
export type V2WritePolicy = Pick<WritePolicy, "keyAlgorithms" | "admission">;

/** Rekor's v2 log: entries are written one by one and read as tiles. */
export class RekorV2Log {
  readonly #log: TransparencyLog;
  readonly #logId: Uint8Array;
  readonly #admission: Admission;

  constructor(
    { origin, admission }: RekorV2Identity & V2WritePolicy,
    { log, signer }: { readonly log: TransparencyLog; readonly signer: Signer },
  ) {
    this.#log = log;
    this.#admission = new Admission(admission);
    this.#logId = v2LogId(origin, signer);
  }

  /**
   * Logs what was asked for, which is judged only for a caller who may write. It is answered once a signed and published
   * tree head covers it.
   */
  async create(caller: Caller, judge: () => Promise<NewEntry>): Promise<CreatedV2Entry> {
    await this.#admission.assertCaller(caller);
    const appended = await this.#log.append(await judge());
    return { entry: this.#entryOf(appended), duplicate: appended.duplicate };
  }

  async checkpoint(): Promise<Uint8Array> {
    return (await this.#log.published()).note;
  }

  /** Of c2sp.org/tlog-tiles; `path` begins with `tile/`. */
  tileResource(path: string): Promise<Uint8Array> {
    return tileResource(this.#log, path);
  }

  readiness(): Promise<string | undefined> {
    return this.#log.readiness();
  }

  warning(): string | undefined {
    return this.#log.warning();
  }

  #entryOf({ entry, proof, checkpoint }: Appended): LoggedV2Entry {
    return { logId: this.#logId, body: entry.leaf, proof, checkpoint };
  }
}
