import { setTimeout as delay } from "node:timers/promises";
import type { Report } from "../domain/alarm.ts";
import type { Insight } from "./auditor-options.ts";
import { certificateChecks } from "./certificate-checks.ts";
import type { Loops } from "./loops.ts";
import { paced } from "./pace.ts";
import type { Watched } from "./watched-log.ts";

/** Milliseconds from the end of one look to the next. */
const EVERY = {
  edge: 5_000,
  beside: 15_000,
  tile: 2_000,
  tileAlone: 140,
  /** From the end of a round through all there is to the next: a small log is not read without end. */
  round: 60_000,
  query: 100,
  certificates: 3_000,
  entries: 2_000,
  index: 60_000,
};

/** Between two looks whether certificates can be judged. */
const READY_MS = 500;
/** Of a log that cannot be proven they say so themselves, a round later. */
const MOST_UNREADY_MS = 60_000;

interface Around {
  readonly loops: Pick<Loops, "again">;
  readonly insight: Insight | undefined;
  readonly signal: AbortSignal;
  readonly rest: (milliseconds: number) => Promise<void>;
  readonly checkIndex: () => Promise<void>;
  readonly report: Pick<Report, "unknown">;
  /** Without the CA's own certificates nothing says which are its leaves. */
  readonly isTrusted: () => boolean;
}

/** All that is done again and again for one log. */
export function loopsOf(watched: Watched, around: Around): Promise<void>[] {
  const { watch, stored, beside, entries, certificates } = watched;
  const { insight, rest, checkIndex } = around;
  const { name, identity } = watch.log;
  const again = (everyMs: number, what: string, work: () => Promise<void>) => around.loops.again(what, everyMs, work);
  const ready = certificates && untilReady(watched, around);
  const againOnceReady = async (everyMs: number, what: string, work: () => Promise<void>) => {
    await ready;
    await again(everyMs, what, work);
  };
  const loops: Promise<void>[] = [
    again(EVERY.edge, `edge of ${name}`, async () => {
      await watch.checkEdge();
      await stored?.checkTip();
      await entries?.checkNewestFound();
    }),
    again(insight === undefined ? EVERY.tileAlone : EVERY.tile, `old tiles of ${name}`, async () => {
      const full = watch.proven.size >> 8n;
      if (full === 0n) return;
      watched.next = watched.next < full ? watched.next : 0n;
      await watch.checkTile(watched.next++);
      await rest(EVERY.round / Number(full));
    }),
  ];
  if (beside !== undefined) {
    loops.push(
      again(EVERY.beside, `beside ${name}`, async () => {
        await beside.checkNew();
        await beside.checkSome();
      }),
    );
  }
  if (entries !== undefined) {
    loops.push(
      again(EVERY.entries, `entries of ${name}`, () => entries.checkNew()),
      again(EVERY.round, `index of ${name}`, () => entries.checkAllFound()),
      again(EVERY.index, `search index of ${name}`, checkIndex),
    );
  }
  if (certificates !== undefined) {
    loops.push(
      againOnceReady(EVERY.certificates, `new certificates of ${name}`, () => certificates.checkNew()),
      againOnceReady(EVERY.round, `certificates of ${name}`, () => certificates.checkAllLogged()),
      againOnceReady(EVERY.round, `ledger of ${name}`, () => certificates.checkAllLedgered()),
    );
  }
  if (stored !== undefined && insight !== undefined) {
    const db = paced(insight.db, EVERY.query, around.signal);
    loops.push(again(EVERY.round, `rows of ${name}`, () => stored.scrub(db, identity.signs)));
  }
  return loops;
}

/** A round that begins a moment before the log is proven says nothing, and the next is a minute later. */
async function untilReady({ watch }: Watched, { isTrusted, report, signal }: Around): Promise<void> {
  const rest = () => delay(READY_MS, undefined, { signal }).catch(() => {});
  if (!isTrusted()) {
    for (const check of Object.values(certificateChecks(watch.log.name))) {
      report.unknown(
        check,
        'waits for the trust root, which says whose certificates are the CA\'s own (see "trust root")',
      );
    }
  }
  while (!signal.aborted && !isTrusted()) await rest();
  const since = performance.now();
  while (!signal.aborted && !watch.isCurrent && performance.now() - since < MOST_UNREADY_MS) await rest();
}
