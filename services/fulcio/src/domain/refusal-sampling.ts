import type { IssuanceLedger, RefusedEntry } from "./issuance-ledger.ts";

/** A bucket of entries that may still be kept one by one. */
interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
  left: number;
  filledAt: number;
}

/** Milliseconds between two summaries of what was left out. */
const SUMMARY_INTERVAL = 60_000;
/** Kinds of refusal (code and configured issuer) that are counted apart; what is more is counted together. */
const MAX_KINDS = 64;
const MAX_REASON_CHARACTERS = 256;
const MAX_SUBJECT_CHARACTERS = 512;
const MAX_CLAIMED_CHARACTERS = 256;
const MAX_WRITES = 256;

/**
 * Keeps refusals as long as they are few, and of a storm of them the number: anyone can be refused as often as
 * they like, and must not fill the disk. With the figures here at most three entries a second last, and 64 a minute
 * that only count: about 100 MB a day. Who has a token of a configured issuer has an allowance apart from who has none.
 */
export class RefusalSampling {
  readonly #ledger: IssuanceLedger;
  readonly #clock: () => number;
  readonly #verified: Allowance = { burst: 120, perSecond: 2, left: 120, filledAt: -Infinity };
  readonly #unverified: Allowance = { burst: 60, perSecond: 1, left: 60, filledAt: -Infinity };
  readonly #leftOut = new Map<string, RefusedEntry>();
  #summary: NodeJS.Timeout | undefined;
  readonly #writes = new Set<Promise<void>>();

  constructor(ledger: IssuanceLedger, clock: () => number) {
    this.#ledger = ledger;
    this.#clock = clock;
  }

  /** Never throws and is waited for by nobody: the request is refused already, and for a better reason. */
  record(refusal: Omit<RefusedEntry, "time" | "count">, claimedIssuer?: string): void {
    const entry: RefusedEntry = {
      ...refusal,
      time: this.#clock(),
      count: 1,
      reason: bounded(refusal.reason, MAX_REASON_CHARACTERS),
      subject: refusal.subject === undefined ? undefined : bounded(refusal.subject, MAX_SUBJECT_CHARACTERS),
    };
    const allowance = refusal.subject === undefined ? this.#unverified : this.#verified;
    if (this.#writes.size < MAX_WRITES && take(allowance, entry.time)) {
      this.#write(entry, claimedIssuer === undefined ? undefined : escaped(claimedIssuer, MAX_CLAIMED_CHARACTERS));
    } else this.#leaveOut(entry);
  }

  /** Writes what was only counted, and waits for all writes under way. */
  async close(): Promise<void> {
    this.#summarize();
    await Promise.all(this.#writes);
  }

  #leaveOut({ time, code, issuer }: RefusedEntry): void {
    let kind = `${code} ${issuer ?? ""}`;
    if (this.#leftOut.size >= MAX_KINDS && !this.#leftOut.has(kind)) [issuer, kind] = [undefined, code];
    const known = this.#leftOut.get(kind);
    const count = (known?.count ?? 0) + 1;
    this.#leftOut.set(kind, {
      time: known?.time ?? time,
      count,
      code,
      reason: "more of the same, only counted",
      issuer,
      subject: undefined,
      rule: undefined,
    });
    this.#summary ??= setTimeout(() => this.#summarize(), SUMMARY_INTERVAL).unref();
  }

  #summarize(): void {
    clearTimeout(this.#summary);
    this.#summary = undefined;
    const entries = [...this.#leftOut.values()];
    this.#leftOut.clear();
    for (const entry of entries) this.#write(entry);
  }

  #write(entry: RefusedEntry, claimedIssuer?: string): void {
    const write = this.#ledger.recordRefused(entry, claimedIssuer).catch(() => undefined);
    this.#writes.add(write);
    void write.finally(() => this.#writes.delete(write));
  }
}

function take(allowance: Allowance, now: number): boolean {
  // A clock that is set back earns nothing until it has caught up.
  const earned = (Math.max(0, now - allowance.filledAt) / 1000) * allowance.perSecond;
  allowance.left = Math.min(allowance.burst, allowance.left + earned);
  allowance.filledAt = Math.max(now, allowance.filledAt);
  if (allowance.left < 1) return false;
  allowance.left--;
  return true;
}

/** One line: neither a control character nor more than an auditor reads. */
function bounded(text: string, longest: number): string {
  const line = text.replaceAll(/\p{Cc}/gu, " ");
  return line.length <= longest ? line : `${line.slice(0, longest - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** Whatever moves a cursor, hides or turns text around is shown as its code point. */
function escaped(text: string, longest: number): string {
  const plain = text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)?.toString(16)}}`;
  });
  return bounded(plain, longest);
}
