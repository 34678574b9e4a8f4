import type {
  CertificateCounts,
  CertificatePlace,
  IssuanceHistory,
  Page,
  RefusalCounts,
  TimeRange,
} from "./issuance-history.ts";
import type { IssuedEntry } from "./issuance-ledger.ts";
import { type KeyUse, unusedCertificates } from "./unused-certificates.ts";

/** What auditors may ask of the authority. */
export class IssuanceAudit {
  readonly history: IssuanceHistory;
  readonly now: () => number;
  readonly #keyUse: KeyUse | undefined;

  constructor(history: IssuanceHistory, keyUse: KeyUse | undefined, now: () => number) {
    this.history = history;
    this.now = now;
    this.#keyUse = keyUse;
  }

  async counts(
    range: TimeRange,
  ): Promise<{ readonly certificates: CertificateCounts; readonly refusals: RefusalCounts }> {
    const [certificates, refusals] = await Promise.all([
      this.history.countCertificates(range),
      this.history.countRefusals(range),
    ]);
    return { certificates, refusals };
  }

  /** Undefined where nobody can say what the signature log holds. */
  async unused(
    query: TimeRange & { readonly after?: CertificatePlace | undefined },
  ): Promise<Page<IssuedEntry, CertificatePlace> | undefined> {
    if (this.#keyUse === undefined) return undefined;
    return await unusedCertificates(this.history, this.#keyUse, { ...query, now: this.now() });
  }
}
