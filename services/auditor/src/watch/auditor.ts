import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Alarm, AlarmBook, type AlarmSink, timeOf } from "../domain/alarm.ts";
import { alarmText } from "../domain/alarm-text.ts";
import { unlessStopped } from "../domain/unless-stopped.ts";
import { allClientsPlaces } from "../public/clients-heads.ts";
import { askTime, type TimeServer } from "../public/sntp-client.ts";
import { Webhook } from "../public/webhook.ts";
import { FolderLock } from "../state/folder-lock.ts";
import { SettledAlarms } from "../state/settled-alarms.ts";
import { StateFolder } from "../state/state-folder.ts";
import { type AuditStatus, canaryStatus } from "./audit-status.ts";
import { type AuditorOptions, untilStopped } from "./auditor-options.ts";
import { Canary } from "./canary.ts";
import { CanaryKeys } from "./canary-keys.ts";
import { ClientsWatch } from "./clients-watch.ts";
import { HostWatch } from "./host-watch.ts";
import { loopsOf } from "./log-loops.ts";
import type { LogWatch } from "./log-watch.ts";
import { Loops } from "./loops.ts";
import { whyNotAsked } from "./no-longer-asked.ts";
import { again } from "./pace.ts";
import { PromisedCertificates } from "./promised-certificates.ts";
import { RefusalWatch } from "./refusal-watch.ts";
import { checkSearchIndex } from "./search-index-check.ts";
import { TimeServersWatch } from "./time-servers-watch.ts";
import { TrustWatch } from "./trust-watch.ts";
import { type Watched, watchLog } from "./watched-log.ts";
import { WatchedLogs } from "./watched-logs.ts";

/** Milliseconds from the end of one look to the next. */
const EVERY = {
  heads: 2_000,
  clients: 5_000,
  find: 2_000,
  host: 15_000,
  refusals: 30_000,
  logs: 30_000,
  /** RFC 4330, Section 10: never more often than once in 15 s. */
  time: 64_000,
  trust: 5_000,
  webhook: 1_000,
  own: 5_000,
};
/** A log that is read from its beginning does not keep the others from being looked at. */
const LOOK_MS = 5_000;
/** One that was told to stop ends what it is doing. */
const LOCK_WAIT_MS = 5_000;
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
  readonly #trust: TrustWatch;
  readonly #canaryKeys: CanaryKeys;
  readonly canaryKeys = () => this.#canaryKeys.newest();
  readonly #promised: PromisedCertificates;
  readonly #host: HostWatch;
  readonly #refusals: RefusalWatch | undefined;
  readonly #time: TimeServersWatch | undefined;
  readonly #webhook: Webhook | undefined;
  readonly #logs: WatchedLogs;
  readonly #clients: ClientsWatch;
  readonly #loops: Loops;
  #canary: Canary | undefined;
  #since: number | undefined;
  #lastPass: number | undefined;
  #running: Promise<unknown> | undefined;

  private constructor(given: AuditorOptions, state: StateFolder, alarms: readonly Alarm[]) {
    const { told, webhook } = given;
    this.#now = given.now ?? Date.now;
    this.#state = state;
    this.#canaryKeys = new CanaryKeys(state);
    this.#promised = new PromisedCertificates(state);
    const sinks: AlarmSink[] = [(alarm) => told.alarm(alarm, alarmText(alarm)), () => this.#webhook?.wake()];
    this.#alarms = new AlarmBook(state, alarms, sinks, this.#now);
    const { signal } = this.#stop;
    this.#loops = new Loops({ book: this.#alarms, now: this.#now, elapsed, signal, failed: told.failed.bind(told) });
    const options = (this.#options = this.#loops.listening(untilStopped(given, signal)));
    this.#webhook = webhook === undefined ? undefined : this.#hook(webhook);
    const { report } = this.#loops;
    const around = { report, now: this.#now, way: options.way ?? {} };
    this.#logs = new WatchedLogs(options, {
      state,
      alarms: report,
      build: (found, folder, own) => watchLog(found, folder, own, this.#aroundLogs()),
    });
    this.#clients = new ClientsWatch(allClientsPlaces(options), {
      ...around,
      memory: state,
      shards: () => this.#logs.shards,
      isWhole: () => this.#logs.areShardsWhole,
      find: () => this.#logs.find(),
    });
    this.#trust = new TrustWatch(options.url, state, {
      ...around,
      logKeys: () => this.#logKeys(),
      settled: new SettledAlarms(options.state),
      own: options.trustMaterial,
      vantagePoints: options.vantagePoints,
    });
    this.#host = new HostWatch(options.url, {
      ...around,
      elapsed,
      db: options.insight?.db,
      folders: [options.state, ...(options.folders ?? [])],
    });
    const seen = { report, memory: state, elapsed };
    this.#refusals = options.insight && new RefusalWatch({ db: options.insight.db, ...seen });
    const servers = options.timeServers ?? [];
    const clocks = { now: this.#now, elapsed };
    const ask = (server: TimeServer) => unlessStopped(this.#stop.signal, () => askTime(server, clocks));
    this.#time = servers.length === 0 ? undefined : new TimeServersWatch(servers, { ...around, ask });
  }

  static async open(options: AuditorOptions): Promise<Auditor> {
    const state = await StateFolder.open(options.state);
    await using opening = new AsyncDisposableStack();
    opening.use(await FolderLock.take(join(options.state, "lock"), LOCK_WAIT_MS));
    const { alarms, damaged } = await state.openAlarms();
    const auditor = new Auditor(options, state, alarms);
    auditor.#opened.use(opening.move());
    if (damaged === undefined) auditor.#alarms.passed("memory", "the alarms of before are remembered");
    else
      await auditor.#alarms.failed("memory", {
        trouble: "memory",
        what: `the alarms of before cannot be read: ${damaged}`,
      });
    return auditor;
  }

  /** Until it is disposed of. What it audits need not be up yet. */
  start(): void {
    this.#since = this.#now();
    this.#running ??= this.#run();
  }

  #hook(url: string): Webhook {
    return new Webhook(url, {
      alarms: () => this.#alarms.alarms,
      report: this.#alarms,
      memory: this.#state,
      now: this.#now,
      signal: this.#stop.signal,
      failed: (reason) => this.#options.told.failed("webhook", reason),
    });
  }

  status(): AuditStatus {
    return {
      auditor: this.#since === undefined || this.#stop.signal.aborted ? "off" : "running",
      since: this.#since === undefined ? null : timeOf(this.#since),
      lastPass: this.#lastPass === undefined ? null : timeOf(this.#lastPass),
      logs: this.#logs.all.map(({ watch }) => watch.view()),
      checks: this.#alarms.checks,
      alarms: this.#alarms.alarms,
      canary: canaryStatus(this.#canary),
    };
  }

  evidence(name: string): Promise<Uint8Array | undefined> {
    return this.#state.evidence(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#alarms.close();
    this.#stop.abort();
    await this.#running;
    await this.#state.written();
    await this.#logs[Symbol.asyncDispose]();
    await this.#opened.disposeAsync();
  }

  #aroundLogs() {
    return {
      report: this.#loops.report,
      now: this.#now,
      trust: this.#trust,
      promised: this.#promised,
      rest: (milliseconds: number) => this.#rest(milliseconds),
    };
  }

  /** Every check once and whole, one after the other. */
  async sweep(): Promise<void> {
    if (this.#running === undefined) this.#alarms.looksOnce();
    if (!this.#logs.isComplete) await this.#logs.find();
    await this.#trust.check();
    await this.#look();
    await this.#clients.check({ isPatient: this.#running !== undefined });
    for (const { watch, stored, beside, entries, certificates } of this.#logs.all) {
      await watch.checkEdge();
      await stored?.checkTip();
      await beside?.checkNew();
      for (let index = 0n; index < watch.proven.size >> 8n; index++) {
        await watch.checkTile(index);
        await beside?.checkPage(index);
      }
      await entries?.checkNew();
      await entries?.checkAllFound();
      if (entries !== undefined) await this.#checkIndex(watch);
      // Without the CA's own certificates nothing says which are its leaves.
      if (this.#trust.authorities !== undefined) {
        await certificates?.checkNew();
        await certificates?.checkAllLogged();
        await certificates?.checkAllLedgered();
      }
      if (this.#options.insight !== undefined) await stored?.scrub(this.#options.insight.db, watch.log.identity.signs);
    }
    await this.#host.check();
    await this.#refusals?.checkAll();
    await this.#time?.check();
    if (this.#running === undefined) await this.#webhook?.deliver();
  }

  /** One round of the canary. */
  async sing(): Promise<void> {
    if (this.#logs.all.length === 0 && !(await this.#logs.find())) return;
    await this.#trust.check();
    await this.#songbird().sing();
  }

  async #run(): Promise<void> {
    const { canary } = this.#options;
    if (canary === undefined) this.#tellNoCanary();
    const loops: Promise<void>[] = [];
    await Promise.all([
      this.#findAgain(loops),
      this.#again(EVERY.heads, "heads", () => this.#look(LOOK_MS)),
      this.#again(EVERY.clients, "what clients are shown", () => this.#clients.check()),
      this.#again(EVERY.trust, "trust root", () => this.#trust.check()),
      this.#lookAtHost(),
      this.#refusals && this.#again(EVERY.refusals, "refusals", async () => this.#refusals?.check()),
      this.#time && this.#again(EVERY.time, "time servers", async () => this.#time?.check()),
      canary && this.#singAgain(canary.everyMs),
      this.#webhook && this.#loops.again("webhook", EVERY.webhook, async () => this.#webhook?.run(), { mayWait: true }),
      again(
        EVERY.own,
        this.#stop.signal,
        () => this.#loops.judge(),
        (error) => this.#options.told.failed("loops", error),
      ),
    ]);
    await Promise.all(loops);
  }

  /** After what it runs beside has begun to answer, which takes a moment, and not a quarter of a minute later. */
  async #lookAtHost(): Promise<void> {
    await delay(EVERY.find, undefined, { signal: this.#stop.signal }).catch(() => {});
    await this.#again(EVERY.host, "host", () => this.#host.check());
  }

  /** Those of before are watched before the installation answers. */
  async #findAgain(loops: Promise<void>[]): Promise<void> {
    const watched = new Set<Watched>();
    const find = async () => {
      const areNamed = await this.#logs.find();
      for (const found of this.#logs.all) if (!watched.has(found)) loops.push(...this.#loopsOf(found));
      for (const found of this.#logs.all) watched.add(found);
      return areNamed;
    };
    const named = new AbortController();
    const findFirst = async () => void ((await find()) && named.abort());
    await this.#loops.again("logs", EVERY.find, findFirst, { until: named.signal });
    if (this.#stop.signal.aborted) return;
    this.#closeOthers();
    await this.#again(this.#options.lookForLogsMs ?? EVERY.logs, "logs", async () => void (await find()));
  }

  /** One log that cannot be looked at keeps no other from it. */
  async #look(budgetMs?: number): Promise<void> {
    const faults: unknown[] = [];
    for (const { watch, stored } of this.#logs.all) {
      try {
        await watch.pass(budgetMs);
        await stored?.checkHeads();
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw faults[0];
    this.#lastPass = this.#now();
  }

  /** Alarms of before whose checks nobody makes any more would stay open for ever. */
  #closeOthers(): void {
    const { url, vantagePoints = [], state, folders = [], timeServers = [] } = this.#options;
    const looked = {
      logs: this.#logs.names,
      places: [url, ...vantagePoints],
      served: this.#logs.all.flatMap(({ watch }) => watch.places),
      folders: [state, ...folders],
      hasWebhook: this.#webhook !== undefined,
      hasTimeServers: timeServers.length > 0,
    };
    for (const { check } of this.#alarms.open) {
      const why = whyNotAsked(check, looked);
      if (why !== undefined) this.#alarms.notAsked(check, why);
    }
  }

  /** Whoever looks whether the logs take entries must not take silence for a yes. */
  #tellNoCanary(): void {
    this.#alarms.notAsked("canary", "nothing is written into the logs to try them: the canary is switched off");
    const before = this.#alarms.open.filter(({ check }) => check.startsWith("canary "));
    for (const { check } of before) this.#alarms.notAsked(check, "the canary is switched off");
  }

  /** The first after one interval: who starts and stops again leaves no entry. Until then nobody knows whether the logs take any. */
  async #singAgain(everyMs: number): Promise<void> {
    const canary = this.#songbird();
    this.#alarms.expected("canary timestamp", `the first canary comes ${everyMs / 1_000} s after the start`);
    await delay(everyMs, undefined, { signal: this.#stop.signal }).catch(() => {});
    await this.#again(everyMs, "canary", () => canary.sing());
  }

  #songbird(): Canary {
    const { url, way = {}, canary } = this.#options;
    return (this.#canary ??= new Canary(url, {
      report: this.#loops.report,
      now: this.#now,
      logs: () => this.#logs.all.map(({ watch }) => watch),
      trust: this.#trust,
      promised: this.#promised,
      memory: this.#state,
      keys: this.#canaryKeys,
      way,
      token: canary?.token,
      leftOut: canary?.leftOut ?? {},
    }));
  }

  #loopsOf(watched: Watched): Promise<void>[] {
    return loopsOf(watched, {
      loops: this.#loops,
      insight: this.#options.insight,
      signal: this.#stop.signal,
      rest: (milliseconds) => this.#rest(milliseconds),
      checkIndex: () => this.#checkIndex(watched.watch),
      report: this.#loops.report,
      isTrusted: () => this.#trust.authorities !== undefined,
    });
  }

  async #checkIndex(watch: LogWatch): Promise<void> {
    const around = { report: this.#loops.report, signal: this.#stop.signal };
    await checkSearchIndex(watch, this.#options.verifyIndex, around);
  }

  #again(everyMs: number, what: string, work: () => Promise<void>): Promise<void> {
    return this.#loops.again(what, everyMs, work);
  }

  /** Not in a sweep, which somebody waits for. */
  async #rest(milliseconds: number): Promise<void> {
    if (this.#running === undefined) return;
    this.#loops.rests(milliseconds);
    await delay(milliseconds, undefined, { signal: this.#stop.signal });
  }

  #logKeys(): string[] {
    return this.#logs.all.flatMap(({ watch }) => {
      const keys = watch.log.identity.keys.map((key) => key.export({ type: "spki", format: "der" }));
      return keys.map((key) => key.toString("base64"));
    });
  }
}

/** Milliseconds that nobody can set. */
function elapsed(): number {
  return performance.now();
}
