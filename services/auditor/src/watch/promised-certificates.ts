import { type Certificate, tbsWithout } from "../domain/certificate/certificate.ts";
import { SCT_LIST } from "../domain/certificate/fulcio-profile.ts";
import { sha256 } from "../domain/merkle.ts";
import type { Findings } from "./findings.ts";
import { Wrong } from "./wrong.ts";

/** More than are issued while the canary waits for its answer. */
const MOST_RECENT = 4_096;
const MOST_WAITING = 100;
/** An SCT of this log is made when its entry is published; a cache may be a little behind. */
const DUE_MS = 60_000;

interface Promised {
  readonly certificate: Certificate;
  readonly since: number;
}

/**
 * Certificates that an SCT says are in the CT log. A log that signs the promise and does not keep it is what SCTs cannot tell,
 * and what the auditor can: it reads every entry, and was promised one.
 */
export class PromisedCertificates {
  readonly #waiting = new Map<string, Promised>();
  readonly #recent = new Set<string>();

  promise(certificate: Certificate, now: number): void {
    const key = keyOf(tbsWithout(certificate, SCT_LIST));
    if (this.#recent.has(key) || this.#waiting.size >= MOST_WAITING) return;
    this.#waiting.set(key, { certificate, since: now });
  }

  /** An entry of the log: what its leaf holds of a precertificate. It may come before the promise is heard. */
  seen(tbs: Uint8Array): void {
    const key = keyOf(tbs);
    this.#waiting.delete(key);
    this.#recent.add(key);
    for (const oldest of this.#recent) {
      if (this.#recent.size <= MOST_RECENT) break;
      this.#recent.delete(oldest);
    }
  }

  /** Those that should be there by now. */
  due(now: number): Certificate[] {
    const waiting = [...this.#waiting.values()];
    return waiting.filter(({ since }) => now - since > DUE_MS).map(({ certificate }) => certificate);
  }

  /** Once all of a log was read that it showed after they were due. */
  judge(findings: Findings, now: number): void {
    for (const { serial, der } of this.due(now)) {
      const what = `the certificate ${serial.toHex()} carries an SCT of the CT log, which does not hold it`;
      findings.add(new Wrong("unlogged-certificate", what, { certificate: Buffer.from(der).toString("base64") }));
    }
  }
}

function keyOf(tbs: Uint8Array): string {
  return sha256(tbs).toHex();
}
