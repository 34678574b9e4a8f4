import type { Signer } from "@chancery/crypto";
import { Malformed } from "@chancery/fault";
import type { Caller } from "@chancery/identity";
import { type Appended, type PublishedCheckpoint, tileResource, type TransparencyLog } from "@chancery/log";
import { type InclusionProof, MAX_BUNDLED_ENTRY_BYTES } from "@chancery/tlog";
import { Admission } from "../admission.ts";
import { newEntryOf } from "../search/new-entry.ts";
import { parseDsse, type DsseRequest } from "./dsse.ts";
import { type HashedRekordRequest, parseHashedRekord } from "./hashedrekord.ts";
import { Turns } from "../turns.ts";
import { assertKeyAllowed, type WritePolicy } from "../write-policy.ts";
import { type RekorV2Identity, v2LogId } from "./tree-head-signer.ts";

/** dev.sigstore.rekor.v2.CreateEntryRequest: one of the two. */
export type CreateEntryRequest = { readonly hashedRekord: HashedRekordRequest } | { readonly dsse: DsseRequest };

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
  readonly #policy: Pick<WritePolicy, "keyAlgorithms">;
  readonly #turns = new Turns();

  constructor(
    { origin, admission, ...policy }: RekorV2Identity & V2WritePolicy,
    { log, signer }: { readonly log: TransparencyLog; readonly signer: Signer },
  ) {
    this.#log = log;
    this.#admission = new Admission(admission);
    this.#policy = policy;
    this.#logId = v2LogId(origin, signer);
  }

  /**
   * Verifies and logs a request, which is read only for a caller who may write. It is answered once a signed and
   * published tree head covers it.
   */
  async create(caller: Caller, read: () => CreateEntryRequest): Promise<CreatedV2Entry> {
    await this.#admission.assertCaller(caller);
    await this.#turns.next();
    const request = read();
    const parsed = await ("dsse" in request ? parseDsse(request.dsse) : parseHashedRekord(request.hashedRekord));
    const { body, signers, keyAlgorithm } = parsed;
    const verifier = "dsse" in request ? "dsseRequestV002.verifiers.0" : "hashedRekordRequestV002.signature.verifier";
    assertKeyAllowed(keyAlgorithm, this.#policy, `${verifier}.keyDetails`);
    this.#admission.assertSigners(signers);
    // An entry bundle gives each entry a length of 16 bits. c2sp.org/tlog-tiles.
    if (body.length > MAX_BUNDLED_ENTRY_BYTES) {
      throw new Malformed(`entry: its canonical form has ${body.length} bytes, more than ${MAX_BUNDLED_ENTRY_BYTES}`);
    }
    const appended = await this.#log.append(newEntryOf(parsed, 0));
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
