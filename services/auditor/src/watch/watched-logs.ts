import { join } from "node:path";
import { Difference } from "../domain/difference.ts";
import {
  type AuditedLog,
  findLogs,
  givenKeys,
  LOG_KINDS,
  type NamedLogs,
  shardNumber,
  storedName,
} from "../public/served-log.ts";
import type { LogFolder } from "../state/log-folder.ts";
import type { StateFolder } from "../state/state-folder.ts";
import type { AuditorOptions } from "./auditor-options.ts";
import { awayFinding } from "./away.ts";
import type { LogWatch } from "./log-watch.ts";
import type { LoopReport } from "./loops.ts";
import { checkHeadsAlone } from "./stored-heads.ts";
import { checksOf, type Watched } from "./watched-log.ts";
import { messageOf } from "./wrong.ts";

const UNREACHABLE_MS = 60_000;

interface Around {
  readonly state: StateFolder;
  readonly alarms: LoopReport;
  /** `insight` is undefined where the rows of this log are elsewhere. Throws where it does not take what is remembered. */
  readonly build: (found: AuditedLog, folder: LogFolder, options: AuditorOptions) => Watched;
}

/** The logs that are watched, each found and built alone: what keeps one of them from being watched keeps no other. */
export class WatchedLogs implements AsyncDisposable {
  readonly #options: AuditorOptions;
  readonly #around: Around;
  readonly #opened = new AsyncDisposableStack();
  #watched: readonly Watched[] = [];
  /** Those that cannot be, by name. */
  readonly #barred = new Set<string>();
  #areAllNamed = false;

  constructor(options: AuditorOptions, around: Around) {
    this.#options = options;
    this.#around = around;
  }

  get all(): readonly Watched[] {
    return this.#watched;
  }

  /** Those that are watched, and those that should be. */
  get names(): string[] {
    return [...this.#watched.map(({ watch }) => watch.log.name), ...this.#barred];
  }

  /** Those of the v1 log, oldest first. */
  get shards(): readonly LogWatch[] {
    const shards = this.#watched.map(({ watch }) => watch).filter(({ log }) => log.kind === "rekor");
    return shards.toSorted((a, b) => (shardNumber(a.log.name) ?? 0) - (shardNumber(b.log.name) ?? 0));
  }

  /** Whether each of those is watched that was ever named. */
  get areShardsWhole(): boolean {
    return ![...this.#barred].some((name) => shardNumber(name) !== undefined);
  }

  /** Whether the installation said which logs it has, and each of them is watched. */
  get isComplete(): boolean {
    return this.#areAllNamed && this.#barred.size === 0;
  }

  /**
   * What was found once is watched for ever, over restarts too: a log that is no longer named has something to hide, or is missed
   * soon. Resolves to whether the installation said which there are. That one was added tells the trusted root's own watch.
   */
  find(): Promise<boolean> {
    const turn = this.#finding.then(() => this.#find());
    this.#finding = turn.catch(() => {});
    return turn;
  }
  #finding: Promise<unknown> = Promise.resolve();

  async #find(): Promise<boolean> {
    const { url, keys = {}, way } = this.#options;
    const { alarms } = this.#around;
    const named = await findLogs(url, keys, way).catch((unanswered: unknown): NamedLogs => ({ logs: [], unanswered }));
    for (const log of named.logs) await this.#watch(log);
    if (!this.isComplete) await this.#watchRemembered(new Set(named.logs.map(({ name }) => name)));
    const hasIndex = this.#options.verifyIndex !== undefined;
    for (const one of this.#watched) {
      for (const check of checksOf(one, hasIndex)) alarms.expected(check);
      const memory = `memory of ${one.watch.log.name}`;
      alarms.passed(memory, "what was seen of it before is remembered, and signed by the key it has");
    }
    this.#areAllNamed = named.unanswered === undefined;
    if (this.#areAllNamed) {
      alarms.passed("reach", `${url} answers`);
      const names = this.names.join(", ");
      alarms.passed("logs", `each log that the installation names is watched: ${names}`);
      return true;
    }
    await this.#checkHeadsAlone();
    const away = awayFinding(`${url} cannot be read`, named.unanswered, { toleratedMs: UNREACHABLE_MS });
    await alarms.failed("reach", away);
    return false;
  }

  async #watchRemembered(named: ReadonlySet<string>): Promise<void> {
    for (const { name, log, damage } of await this.#around.state.logs()) {
      if (named.has(name)) continue;
      const own = log && givenKeys(this.#options.keys ?? {}, log.kind, (shardNumber(name) ?? 1) - 1);
      if (log === undefined) await this.#bar(name, damage);
      else await this.#watch(own === undefined ? log : { ...log, identity: { ...log.identity, keys: own } });
    }
  }

  async #watch(found: AuditedLog): Promise<void> {
    if (this.#watched.some(({ watch }) => watch.log.name === found.name)) return;
    // A database has one log of certificates: the second one's rows are elsewhere.
    const isFirst = found.kind !== "ctlog" || this.#watched.every(({ watch }) => watch.log.kind !== "ctlog");
    const options = isFirst ? this.#options : { ...this.#options, insight: undefined };
    await using opening = new AsyncDisposableStack();
    try {
      const folder = opening.use(await this.#around.state.log(found.name));
      this.#watched = [...this.#watched, this.#around.build(found, folder, options)];
    } catch (error) {
      await this.#bar(found.name, error);
      return;
    }
    this.#opened.use(opening.move());
    this.#barred.delete(found.name);
  }

  /** It is not watched, until what stands in the way is gone. */
  async #bar(name: string, error: unknown): Promise<void> {
    this.#barred.add(name);
    const isOtherKey = error instanceof Difference && error.place.kind === "checkpoint";
    const why = isOtherKey
      ? `the checkpoint of ${name} that this auditor remembers is not signed by the key that it is told of now`
      : `what this auditor remembers of ${name} cannot be read`;
    const trouble = isOtherKey ? "bad-signature" : "memory-lost";
    const finding = { trouble, what: `${why}: ${messageOf(error)}`, subject: `memory of ${name}` } as const;
    await this.#around.alarms.failed(`memory of ${name}`, finding);
  }

  /** Of those that are not watched: a log that refuses because its database is older than its anchor cannot be found. */
  async #checkHeadsAlone(): Promise<void> {
    const { insight } = this.#options;
    if (insight === undefined) return;
    const before = (await this.#around.state.logs()).map(({ name }) => (name.startsWith("ctlog/") ? "ctlog" : name));
    const watched = new Set(this.#watched.map(({ watch }) => storedName(watch.log)));
    for (const name of new Set<string>([...LOG_KINDS, ...before]).difference(watched)) {
      const anchor = insight.anchor === undefined ? undefined : join(insight.anchor, name);
      await checkHeadsAlone({ db: insight.db, name, anchor }, this.#around.alarms);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}
