import { createPublicKey } from "node:crypto";
import { join } from "node:path";
import type { SettlingReport } from "../domain/alarm.ts";
import { withoutEndSlashes } from "../public/http-log.ts";
import { type AuditedLog, servedLog, storedName } from "../public/served-log.ts";
import type { LogFolder } from "../state/log-folder.ts";
import { SettledAlarms } from "../state/settled-alarms.ts";
import type { AuditorOptions } from "./auditor-options.ts";
import { BesideWatch } from "./beside-watch.ts";
import { certificateChecks } from "./certificate-checks.ts";
import { CertificateWatch } from "./certificate-watch.ts";
import { EntryWatch } from "./entry-watch.ts";
import { LogWatch } from "./log-watch.ts";
import type { PromisedCertificates } from "./promised-certificates.ts";
import { isFrozenForEver } from "./stored-heads.ts";
import { StoredWatch } from "./stored-watch.ts";
import type { TrustWatch } from "./trust-watch.ts";

/** What is looked at again takes a three-hundredth of the time, each; the first time since the start a sixtieth; what is new a twentieth. */
const REST = { again: 300, ledger: 100, first: 60, new: 20 };
/** The first pages take ten times what the others do: nobody waits minutes for that. */
const MOST_REST_MS = 3_000;

/** All that watches one log. */
export interface Watched {
  readonly watch: LogWatch;
  readonly stored: StoredWatch | undefined;
  /** Of a log of signatures, where its rows may be looked at. */
  readonly beside: BesideWatch | undefined;
  /** Of a log of signatures. */
  readonly entries: EntryWatch | undefined;
  /** Of a log of certificates. */
  readonly certificates: CertificateWatch | undefined;
  /** The next old tile to be looked at. */
  next: bigint;
}

interface Around {
  readonly report: SettlingReport;
  readonly now: () => number;
  readonly trust: TrustWatch;
  readonly promised: PromisedCertificates;
  readonly rest: (milliseconds: number) => Promise<void>;
}

export function watchLog(
  found: AuditedLog,
  folder: LogFolder,
  {
    url,
    vantagePoints = [],
    keys = {},
    insight,
    way = {},
    ctLog = "own",
    state,
    isFederated = () => false,
  }: AuditorOptions,
  { trust, promised, rest, ...around }: Around,
): Watched {
  const log = keys[found.kind] === undefined ? asFirstSeen(found, folder) : found;
  const places = [url, ...vantagePoints].map(
    (place) => [withoutEndSlashes(place), log, place === url ? way : { signal: way.signal }] as const,
  );
  const served = places.map((place) => servedLog(...place));
  const settled = new SettledAlarms(state);
  const anchor = insight?.anchor === undefined ? undefined : join(insight.anchor, storedName(log));
  const place = insight && { db: insight.db, name: storedName(log), anchor };
  const watch = new LogWatch(log, served, folder, {
    ...around,
    isMeant: async (what) => {
      await settled.refresh();
      return settled.has("frozen", what) || (place !== undefined && (await isFrozenForEver(place)));
    },
  });
  const stored = place && new StoredWatch(watch, place, around);
  const pauseOf = (factor: number) => (spentMs: number, isFirst: boolean) =>
    rest(isFirst ? Math.min(spentMs * REST.first, MOST_REST_MS) : spentMs * factor);
  const [pause, pauseInLedger] = [pauseOf(REST.again), pauseOf(REST.ledger)];
  const breathe = (spentMs: number) => rest(spentMs * REST.new);
  if (found.kind === "ctlog") {
    const authorities = () => trust.authorities?.certificate ?? [];
    const beside = { db: insight?.db, authorities, promised, settled: new SettledAlarms(state), isFederated };
    const certificates = new CertificateWatch(watch, { ...around, ...beside, pause, pauseInLedger, way, ctLog });
    return { watch, stored, beside: undefined, entries: undefined, certificates, next: 0n };
  }
  const entries = new EntryWatch(watch, { ...around, stored: place, pause, breathe });
  const beside = place && new BesideWatch(watch, place, around.report, new SettledAlarms(state));
  return { watch, stored, beside, entries, certificates: undefined, next: 0n };
}

/** All that is going to be checked of a log: what was not yet looked at is listed, and not left out. */
export function checksOf({ watch, stored, entries, certificates }: Watched, hasIndex: boolean): string[] {
  const { name } = watch.log;
  return [
    `reach ${name}`,
    `checkpoint of ${name}`,
    `unproven checkpoints of ${name}`,
    `edge of ${name}`,
    ...(stored === undefined
      ? []
      : [`heads of ${storedName(watch.log)}`, `stored tip of ${name}`, `stored rows of ${name}`]),
    ...(entries === undefined ? [] : [`entries of ${name}`, `newest in the index of ${name}`, `index of ${name}`]),
    ...(entries !== undefined && hasIndex ? [`search index of ${name}`] : []),
    ...(certificates === undefined ? [] : Object.values(certificateChecks(name))),
  ];
}

/** A key that is another today is not believed. */
function asFirstSeen(found: AuditedLog, { memory }: LogFolder): AuditedLog {
  if (memory === undefined) return found;
  const keys = memory.keys.map((key) =>
    createPublicKey({ key: Buffer.from(key, "base64"), format: "der", type: "spki" }),
  );
  return { ...found, identity: { ...found.identity, origin: memory.origin, signer: memory.signer, keys } };
}
