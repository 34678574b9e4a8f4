import type { Queryable } from "@chancery/postgres";
import type { SettlingReport } from "../domain/alarm.ts";
import type { Certificate } from "../domain/certificate/certificate.ts";
import type { Way } from "../public/http-log.ts";
import type { SettledAlarms } from "../state/settled-alarms.ts";
import type { LogWatch } from "./log-watch.ts";
import type { PromisedCertificates } from "./promised-certificates.ts";
import type { Pause } from "./rounds.ts";
import { Unchecked } from "./wrong.ts";

/** The CA's own chains, the issuing certificate first, by which its leaves are told from those of others. */
export type Authorities = () => readonly (readonly Certificate[])[];

/** What the certificates of a CT log are checked with. */
export interface CertificateAround {
  readonly way: Way;
  /** Where the CA shows its certificates: to this log, to another's, to none. */
  readonly ctLog: "own" | "other" | "none";
  readonly report: SettlingReport;
  readonly now: () => number;
  /** Undefined: the ledger cannot be looked at. */
  readonly db: Queryable | undefined;
  readonly authorities: Authorities;
  readonly promised: PromisedCertificates;
  readonly settled: SettledAlarms;
  readonly isFederated: (issuer: string) => boolean;
  /** Between two pages of what is looked at again, given what one took. */
  readonly pause: Pause;
  /** The same in the ledger, which is gone through again and again. */
  readonly pauseInLedger: Pause;
}

/** What lies behind an alarm of the log itself is no alarm, a certificate at a time. */
export function requireAbreast({ obstacle }: LogWatch, checked: string): void {
  if (obstacle !== undefined) throw new Unchecked(`${checked}; those behind are not: ${obstacle}`);
}

/** Which of the CA's own signs such leaves; undefined: it is of another CA. */
export function issuerOf({ issuer }: Certificate, chains: ReturnType<Authorities>): Certificate | undefined {
  const issuing = chains.flatMap((chain) => chain.slice(0, 1));
  return issuing.find(({ subject }) => Buffer.compare(subject, issuer) === 0);
}
