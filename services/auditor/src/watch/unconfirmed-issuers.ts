import { type LedgerRow, timeOf } from "../database/ledger.ts";
import type { Certificate } from "../domain/certificate/certificate.ts";
import { issuerClaim } from "../domain/certificate/fulcio-profile.ts";
import type { Findings } from "./findings.ts";
import { Wrong } from "./wrong.ts";

/** Of issuers that somebody made up, the others are told together. */
const MOST_PAIRS = 1_000;
const MOST_NAMED = 20;

interface Pair {
  /** Of the rows, and of their certificates. */
  readonly issuers: readonly [stored: string, named: string];
  count: number;
  first: LedgerRow;
  last: LedgerRow;
  readonly serials: string[];
}

/** Rows whose issuer is believed and not known, as a round through the ledger finds them: told once for all of an issuer. */
export class UnconfirmedIssuers {
  readonly #pairs = new Map<string, Pair>();

  add(row: LedgerRow, certificate: Certificate): void {
    const issuers = [row.issuer, issuerClaim(certificate) ?? "none"] as const;
    const key = JSON.stringify(issuers);
    if (this.#pairs.has(key) || this.#pairs.size < MOST_PAIRS) this.#count(key, row, issuers);
    else this.#count("others", row, ["many others", "others"]);
  }

  #count(key: string, row: LedgerRow, issuers: Pair["issuers"]): void {
    const pair = this.#pairs.get(key) ?? { issuers, count: 0, first: row, last: row, serials: [] };
    pair.count++;
    if (row.time > pair.last.time) pair.last = row;
    if (pair.serials.length < MOST_NAMED) pair.serials.push(row.serial.toHex());
    this.#pairs.set(key, pair);
  }

  /** With their number: one more of an issuer that an operator has settled is news. */
  tell(findings: Findings): void {
    for (const { issuers, count, first, last, serials } of this.#pairs.values()) {
      const [stored, named] = issuers;
      const whose =
        count === 1
          ? `1 row of the ledger, of ${timeOf(first)}, has the issuer ${stored}, and its certificate`
          : `${count} rows of the ledger, of ${timeOf(first)} to ${timeOf(last)}, have the issuer ${stored}, and their certificates`;
      const what = `${whose} ${named}: it stood there before this auditor looked, and nothing tells it that the CA was configured so`;
      findings.add(new Wrong("unconfirmed-issuer", what, { stored, named, count, serials }));
    }
  }
}
