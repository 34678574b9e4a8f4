import { setTimeout as sleep } from "node:timers/promises";
import { Misconfigured } from "@chancery/fault";
import type { CurrentIssuers } from "@chancery/fulcio";
import { type Logger, type Metrics, readConfigFile } from "@chancery/service";
import { Counter, Gauge } from "prom-client";
import { ConfigFile } from "./config-file.ts";

export interface IssuerReloadOptions {
  /** The file that was read at the start. */
  readonly file: ConfigFile;
  readonly issuers: Pick<CurrentIssuers, "replace">;
  /** Throws Misconfigured for a file that the next start would refuse: taken now, it would be an outage then. */
  readonly check: (file: ConfigFile) => Promise<void>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Ends when a file that is not touched meanwhile may be taken to be whole; rejects at the signal. A second if left out. */
  readonly quiet?: (signal: AbortSignal) => Promise<void>;
}

/** Milliseconds. A ConfigMap is swapped by a link to another folder, which no watch of the file itself is told. */
const LOOK_EVERY = 1_000;
const QUIET = 1_000;

/** The file at one moment: its text, or why it cannot be read. */
type Sight = { readonly text: string } | { readonly error: unknown };

/**
 * Takes the issuers anew from their file when its content has changed, when asked, or while it is refused. A file that is not right changes
 * nothing: why is logged once, counted, and shown by readiness until it is mended.
 *
 * Nor does one that is being written, which may read as a whole one with fewer issuers or laxer rules: nothing is taken, and
 * nothing refused, until two looks with a pause between have seen the same. Who asks waits for that.
 */
export class IssuerReload implements AsyncDisposable {
  readonly #options: IssuerReloadOptions;
  readonly #reloads: Counter;
  readonly #inForce: Gauge;
  readonly #timer: NodeJS.Timeout;
  /** As it was when it was last taken or refused; undefined if it could not be read. */
  #seen: string | undefined;
  readonly #end = new AbortController();
  #refused: string | undefined;
  #atWork: Promise<void> = Promise.resolve();
  #isLooking = false;

  constructor(options: IssuerReloadOptions) {
    this.#options = options;
    this.#seen = options.file.text;
    const registers = [options.metrics.registry];
    this.#reloads = new Counter({
      name: "chancery_config_reloads_total",
      help: "Times the issuers were read anew, by outcome.",
      labelNames: ["outcome"],
      registers,
    });
    this.#inForce = new Gauge({
      name: "chancery_config_in_force",
      help: "1 if the issuers are those of the file as it is now, 0 if it was refused.",
      registers,
    });
    this.#inForce.set(1);
    this.#timer = setInterval(() => {
      if (!this.#isLooking) void this.#look(false);
    }, LOOK_EVERY);
    this.#timer.unref();
  }

  /** Why the file as it is now is not in force; undefined if it is. */
  warning(): string | undefined {
    return this.#refused === undefined ? undefined : `the issuers are those of before: ${this.#refused}`;
  }

  /** Reads the file now, changed or not. */
  async reload(): Promise<void> {
    await this.#look(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#end.abort();
    await this.#atWork;
  }

  /** One after the other: the last content seen is the one in force. */
  async #look(always: boolean): Promise<void> {
    this.#atWork = this.#atWork.then(() => this.#readAndReplace(always));
    await this.#atWork;
  }

  async #readAndReplace(always: boolean): Promise<void> {
    this.#isLooking = true;
    const sight = await this.#settled();
    this.#isLooking = false;
    if (sight === undefined) return;
    const { file, logger } = this.#options;
    const before = this.#seen;
    this.#seen = "text" in sight ? sight.text : undefined;
    try {
      if ("error" in sight) throw sight.error;
      const { text } = sight;
      // What was wrong may have been a file that it names, mended since.
      if (text !== before || always || this.#refused !== undefined)
        await this.#replace(ConfigFile.parse(text, file.path));
    } catch (error) {
      if (error instanceof Misconfigured) return this.#refuse(error.message);
      logger.error({ err: error }, `${file.path} could not be read anew`);
      this.#refuse("it could not be read");
    }
  }

  /** The file once it stays as it is; undefined if the end comes before. What it was at the last look needs no second one. */
  async #settled(): Promise<Sight | undefined> {
    let sight = await this.#sight();
    for (let last = this.#seen; textOf(sight) !== last;) {
      last = textOf(sight);
      try {
        await (this.#options.quiet ?? aSecond)(this.#end.signal);
      } catch {
        return undefined;
      }
      sight = await this.#sight();
    }
    return sight;
  }

  async #sight(): Promise<Sight> {
    try {
      return { text: await readConfigFile(this.#options.file.path) };
    } catch (error) {
      return { error };
    }
  }

  async #replace(anew: ConfigFile): Promise<void> {
    const { path, own, issuers } = anew;
    const { file, issuers: current, check, logger } = this.#options;
    // Development mode is a start's to choose, before anything listens.
    if (issuers === undefined) throw new Misconfigured("oidc-issuers", "no issuer is configured any more");
    await check(anew);
    current.replace(issuers);
    this.#refused = undefined;
    this.#count("replaced");
    logger.info(`${path} was read anew; issuers: ${issuers.length}`);
    if (JSON.stringify(own) === JSON.stringify(file.own)) return;
    logger.warn(
      `the section chancery of ${path} has changed, which takes effect at the next start${await this.#until(anew)}`,
    );
  }

  /** A rule in force may name an issuer that went with it: whom it let in is refused from now on, which is safe and would puzzle. */
  async #until(anew: ConfigFile): Promise<string> {
    const { file, check } = this.#options;
    try {
      await check(anew.withOwn(file));
      return "";
    } catch (error) {
      if (!(error instanceof Misconfigured)) throw error;
      return `; until then the one of before is in force, and not all of it works any more (${error.message})`;
    }
  }

  /** A file that cannot be read is looked at every time, and told once. */
  #refuse(reason: string): void {
    if (reason === this.#refused) return;
    this.#refused = reason;
    this.#count("refused");
    this.#options.logger.error(`the issuers stay as they were: ${reason}`);
  }

  #count(outcome: "replaced" | "refused"): void {
    this.#reloads.inc({ outcome });
    this.#inForce.set(outcome === "replaced" ? 1 : 0);
  }
}

function textOf(sight: Sight): string | undefined {
  return "text" in sight ? sight.text : undefined;
}

async function aSecond(signal: AbortSignal): Promise<void> {
  await sleep(QUIET, undefined, { signal });
}
