import { type Certificate, readCertificate, tbsWithout } from "../domain/certificate/certificate.ts";
import { embeddedScts } from "../domain/certificate/ct-entry.ts";
import { SCT_LIST } from "../domain/certificate/fulcio-profile.ts";
import { sha256 } from "../domain/merkle.ts";
import type { NamedMemory } from "../domain/named-memory.ts";
import type { Findings } from "./findings.ts";
import { Wrong } from "./wrong.ts";

/** More than are issued while the canary waits for its answer. */
const MOST_RECENT = 4_096;
const MOST_WAITING = 100;
/** An SCT of this log is made when its entry is published; a cache may be a little behind. */
const DUE_MS = 60_000;
const FILE = "promised";

interface Promised {
  readonly certificate: Certificate;
  readonly since: number;
}

/** As it is remembered. */
interface StoredPromise {
  /** Base64 of the DER. */
  readonly certificate: string;
  readonly since: number;
}

/**
 * Certificates that an SCT says are in the CT log. A log that signs the promise and does not keep it is what SCTs cannot tell,
 * and what the auditor can: it reads every entry, and was promised one. A restart forgets none.
 */
export class PromisedCertificates {
  readonly #memory: NamedMemory;
  readonly #recent = new Set<string>();
  #waiting: Map<string, Promised> | undefined;
  #isWritten = true;

  constructor(memory: NamedMemory) {
    this.#memory = memory;
  }

  async promise(certificate: Certificate, now: number): Promise<void> {
    const waiting = await this.#load();
    const key = keyOf(tbsWithout(certificate, SCT_LIST));
    if (this.#recent.has(key) || waiting.has(key) || waiting.size >= MOST_WAITING) return;
    waiting.set(key, { certificate, since: now });
    this.#isWritten = false;
    await this.save();
  }

  /** Entries of a log: what their leaves hold of precertificates. They may come before the promise is heard. */
  async seen(tbs: readonly Uint8Array[], isNew: boolean): Promise<void> {
    const waiting = await this.#load();
    if (!isNew && waiting.size === 0) return;
    for (const key of tbs.map(keyOf)) {
      if (waiting.delete(key)) this.#isWritten = false;
      if (isNew) this.#recent.add(key);
    }
    for (const oldest of this.#recent) {
      if (this.#recent.size <= MOST_RECENT) break;
      this.#recent.delete(oldest);
    }
  }

  async save(): Promise<void> {
    if (this.#isWritten) return;
    const waiting = [...(await this.#load()).values()];
    const stored = waiting.map(({ certificate: { der }, since }): StoredPromise => {
      return { certificate: Buffer.from(der).toString("base64"), since };
    });
    await this.#memory.remember(FILE, stored);
    this.#isWritten = true;
  }

  /** Those that should be in the log of these key IDs (hexadecimal) by now. */
  async due(now: number, logIds: ReadonlySet<string>): Promise<Certificate[]> {
    const waiting = [...(await this.#load()).values()];
    const late = waiting.filter(({ since }) => now - since > DUE_MS).map(({ certificate }) => certificate);
    return late.filter((one) => embeddedScts(one).some(({ logId }) => logIds.has(logId.toHex())));
  }

  /** Once all of a log was read that it showed after they were due. */
  async judge(findings: Findings, now: number, logIds: ReadonlySet<string>): Promise<void> {
    for (const { serial, der } of await this.due(now, logIds)) {
      const what = `the certificate ${serial.toHex()} carries an SCT of the CT log, which does not hold it`;
      findings.add(new Wrong("unlogged-certificate", what, { certificate: Buffer.from(der).toString("base64") }));
    }
  }

  async #load(): Promise<Map<string, Promised>> {
    if (this.#waiting !== undefined) return this.#waiting;
    const stored = (await this.#memory.recall<readonly StoredPromise[]>(FILE)) ?? [];
    const waiting = stored.map(({ certificate: text, since }) => {
      const certificate = readCertificate(Buffer.from(text, "base64"));
      return [keyOf(tbsWithout(certificate, SCT_LIST)), { certificate, since }] as const;
    });
    // Somebody else may have loaded it meanwhile.
    return (this.#waiting ??= new Map(waiting));
  }
}

function keyOf(tbs: Uint8Array): string {
  return sha256(tbs).toHex();
}
