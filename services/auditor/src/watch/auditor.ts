import { createPublicKey, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Queryable } from "@chancery/postgres";
import { type Alarm, AlarmBook, type AlarmSink, type CheckStatus, timeOf } from "../domain/alarm.ts";
import { type AuditedLog, findLogs, type LogKind, servedLog } from "../public/served-log.ts";
import { alarmText, Webhook } from "../public/webhook.ts";
import type { LogFolder } from "../state/log-folder.ts";
import { StateFolder } from "../state/state-folder.ts";
import { LogWatch, type LogView, messageOf } from "./log-watch.ts";
import { again, paced } from "./pace.ts";
import { StoredWatch } from "./stored-watch.ts";

/** Beside what anyone may read: what an auditor who is let in may look at. */
export interface Insight {
  readonly db: Queryable;
  /** The folder of the anchors, one below it for each log. */
  readonly anchor?: string | undefined;
}

export interface AuditorOptions {
  /** The installation, as it is read. */
  readonly url: string;
  /** Other URLs of the same, through which others read it: they must show the same. */
  readonly vantagePoints?: readonly string[];
  /** The folder of its memory. */
  readonly state: string;
  /** Undefined: those of the installation's trusted root when it was first seen. */
  readonly keys?: Partial<Readonly<Record<LogKind, KeyObject>>>;
  readonly insight?: Insight | undefined;
  readonly webhook?: string | undefined;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly told: AuditorLog;
}

/** The program's log. */
export interface AuditorLog {
  alarm(alarm: Alarm, text: string): void;
  failed(what: string, error: unknown): void;
}

export interface AuditStatus {
  readonly auditor: "running" | "off";
  readonly since: string | null;
  readonly lastPass: string | null;
  readonly logs: readonly LogView[];
  readonly checks: readonly CheckStatus[];
  readonly alarms: readonly Alarm[];
  readonly canary: CanaryView;
}

export interface CanaryView {
  readonly lastSuccess: string | null;
  readonly latencyMillis: number | null;
  readonly failures: number;
}

/** Milliseconds from the end of one look to the next. */
const EVERY = { heads: 2_000, edge: 5_000, tile: 1_000, tileAlone: 140, scrub: 5_000, query: 100, find: 2_000 };

interface Watched {
  readonly watch: LogWatch;
  readonly stored: StoredWatch | undefined;
  /** The next old tile to be looked at. */
  next: bigint;
}

/**
 * The auditor that never sleeps: a stranger with its own memory, who believes what it can derive. What it is shown it
 * holds against all it was ever shown.
 */
export class Auditor implements AsyncDisposable {
  readonly #options: AuditorOptions;
  readonly #now: () => number;
  readonly #state: StateFolder;
  readonly #alarms: AlarmBook;
  readonly #stop = new AbortController();
  readonly #opened = new AsyncDisposableStack();
  #watched: readonly Watched[] = [];
  #since: number | undefined;
  #lastPass: number | undefined;
  #running: Promise<unknown> | undefined;

  private constructor(options: AuditorOptions, state: StateFolder, alarms: readonly Alarm[]) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#state = state;
    const sinks: AlarmSink[] = [(alarm) => options.told.alarm(alarm, alarmText(alarm))];
    if (options.webhook !== undefined) {
      const hook = new Webhook(options.webhook, this.#stop.signal, (reason) => options.told.failed("webhook", reason));
      sinks.push((alarm) => hook.tell(alarm));
    }
    this.#alarms = new AlarmBook(state, alarms, sinks, this.#now);
  }

  static async open(options: AuditorOptions): Promise<Auditor> {
    const state = await StateFolder.open(options.state);
    return new Auditor(options, state, await state.alarms());
  }

  /** Until it is disposed of. What it audits need not be up yet. */
  start(): void {
    this.#since = this.#now();
    this.#running ??= this.#run();
  }

  status(): AuditStatus {
    return {
      auditor: this.#since === undefined || this.#stop.signal.aborted ? "off" : "running",
      since: this.#since === undefined ? null : timeOf(this.#since),
      lastPass: this.#lastPass === undefined ? null : timeOf(this.#lastPass),
      logs: this.#watched.map(({ watch }) => watch.view()),
      checks: this.#alarms.checks,
      alarms: this.#alarms.alarms,
      canary: { lastSuccess: null, latencyMillis: null, failures: 0 },
    };
  }

  evidence(name: string): Promise<Uint8Array | undefined> {
    return this.#state.evidence(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#opened.disposeAsync();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    await this.#find();
    if (signal.aborted) return;
    const loops = this.#watched.flatMap((watched) => this.#loopsOf(watched));
    await Promise.all([
      ...loops,
      this.#again(EVERY.heads, "heads", async () => {
        for (const { watch, stored } of this.#watched) {
          await watch.pass();
          await stored?.checkHeads();
        }
        this.#lastPass = this.#now();
      }),
    ]);
  }

  #loopsOf(watched: Watched): Promise<void>[] {
    const { watch, stored } = watched;
    const { insight } = this.#options;
    const { name, identity } = watch.log;
    return [
      this.#again(EVERY.edge, `edge of ${name}`, async () => {
        await watch.checkEdge();
        await stored?.checkTip();
      }),
      this.#again(insight === undefined ? EVERY.tileAlone : EVERY.tile, `old tiles of ${name}`, async () => {
        const full = watch.proven.size >> 8n;
        if (full === 0n) return;
        watched.next = watched.next < full ? watched.next : 0n;
        await watch.checkTile(watched.next++);
      }),
      ...(stored === undefined || insight === undefined
        ? []
        : [
            this.#again(EVERY.scrub, `rows of ${name}`, () =>
              stored.scrub(paced(insight.db, EVERY.query, this.#stop.signal), identity.signs),
            ),
          ]),
    ];
  }

  #again(everyMs: number, what: string, work: () => Promise<void>): Promise<void> {
    return again(everyMs, this.#stop.signal, work, (error) => this.#options.told.failed(what, error));
  }

  /** Which logs there are, once the installation answers. */
  async #find(): Promise<void> {
    const { url, keys = {} } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        const logs = await findLogs(url, keys);
        this.#watched = await Promise.all(logs.map((log) => this.#watch(log)));
        this.#alarms.passed("reach", `${url} answers`);
        return;
      } catch (error) {
        await this.#alarms.failed("reach", {
          trouble: "unreachable",
          what: `${url} cannot be read: ${messageOf(error)}`,
          toleratedMs: 60_000,
        });
      }
      await delay(EVERY.find, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  async #watch(found: AuditedLog): Promise<Watched> {
    const { url, vantagePoints = [], keys = {}, insight } = this.#options;
    const folder = this.#opened.use(await this.#state.log(found.name));
    const log = keys[found.kind] === undefined ? asFirstSeen(found, folder) : found;
    const around = { report: this.#alarms, now: this.#now };
    const served = [url, ...vantagePoints].map((place) => servedLog(place.replace(/\/+$/, ""), log));
    const watch = new LogWatch(log, served, folder, around);
    const anchor = insight?.anchor === undefined ? undefined : join(insight.anchor, log.kind);
    const stored = insight && new StoredWatch(watch, { db: insight.db, name: log.kind, anchor }, around);
    return { watch, stored, next: 0n };
  }
}

/** A key that is another today is not believed. */
function asFirstSeen(found: AuditedLog, { memory }: LogFolder): AuditedLog {
  if (memory === undefined) return found;
  const keys = memory.keys.map((key) =>
    createPublicKey({ key: Buffer.from(key, "base64"), format: "der", type: "spki" }),
  );
  return { ...found, identity: { ...found.identity, origin: memory.origin, signer: memory.signer, keys } };
}
