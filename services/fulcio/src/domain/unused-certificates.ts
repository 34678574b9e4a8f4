import type { CertificatePlace, IssuanceHistory, Page, TimeRange } from "./issuance-history.ts";
import type { IssuedEntry } from "./issuance-ledger.ts";

/** What the signature logs say of keys; another service's, in this process or elsewhere. */
export interface KeyUse {
  /** For each certificate, whether a log holds anything that was made with its key. At most `LARGEST_LOOK` of them. */
  inLog(certificates: readonly Pick<IssuedEntry, "certificate" | "keyHash">[]): Promise<readonly boolean[]>;
}

/** Each is a look-up in each log. */
export const LARGEST_LOOK = 200;

/** A certificate's ten minutes, and five for a client whose clock is behind ours. */
const MAY_YET_BE_USED = 15 * 60_000;

/**
 * Certificates whose key the log has never seen, newest first: a signature that was made and not logged, or a token that
 * somebody tried. One that may still be used is not among them. A page looks at `LARGEST_LOOK` certificates.
 */
export async function unusedCertificates(
  history: IssuanceHistory,
  use: KeyUse,
  { from, to, after, now }: TimeRange & { readonly after?: CertificatePlace | undefined; readonly now: number },
): Promise<Page<IssuedEntry, CertificatePlace>> {
  const range = { from, to: Math.min(to, now - MAY_YET_BE_USED) };
  const { entries, next } = await history.certificates({ ...range, after, order: "newest", limit: LARGEST_LOOK });
  const used = await use.inLog(entries);
  return { entries: entries.filter((_, at) => used[at] !== true), next };
}
