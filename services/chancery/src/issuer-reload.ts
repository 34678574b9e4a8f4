import { Misconfigured } from "@chancery/fault";
import type { CurrentIssuers } from "@chancery/fulcio";
import { type Logger, type Metrics, readConfigFile } from "@chancery/service";
import { Counter, Gauge } from "prom-client";
import { ConfigFile } from "./config-file.ts";

export interface IssuerReloadOptions {
  /** The file that was read at the start. */
  readonly file: ConfigFile;
  readonly issuers: Pick<CurrentIssuers, "replace">;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Milliseconds. A ConfigMap is swapped by a link to another folder, which no watch of the file itself is told. */
const LOOK_EVERY = 2_000;

/**
 * Takes the issuers anew from their file when its content has changed, when asked, or while it is refused. A file that is not right changes
 * nothing: why is logged once, counted, and shown by readiness until it is mended.
 */
export class IssuerReload implements AsyncDisposable {
  readonly #options: IssuerReloadOptions;
  readonly #reloads: Counter;
  readonly #inForce: Gauge;
  readonly #timer: NodeJS.Timeout;
  /** Undefined while the file cannot be read. */
  #seen: string | undefined;
  #refused: string | undefined;
  #atWork: Promise<void> = Promise.resolve();

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
    this.#timer = setInterval(() => void this.#look(false), LOOK_EVERY);
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
    await this.#atWork;
  }

  /** One after the other: the last content seen is the one in force. */
  async #look(always: boolean): Promise<void> {
    this.#atWork = this.#atWork.then(() => this.#readAndReplace(always));
    await this.#atWork;
  }

  async #readAndReplace(always: boolean): Promise<void> {
    const { file } = this.#options;
    try {
      const before = this.#seen;
      this.#seen = undefined;
      const text = await readConfigFile(file.path);
      this.#seen = text;
      // What was wrong may have been a file that it names, mended since.
      if (text !== before || always || this.#refused !== undefined) this.#replace(ConfigFile.parse(text, file.path));
    } catch (error) {
      if (error instanceof Misconfigured) return this.#refuse(error.message);
      this.#options.logger.error({ err: error }, `${file.path} could not be read anew`);
      this.#refuse("it could not be read");
    }
  }

  #replace({ path, own, issuers }: ConfigFile): void {
    const { file, issuers: current, logger } = this.#options;
    current.replace(issuers);
    this.#refused = undefined;
    this.#count("replaced");
    logger.info(`${path} was read anew; issuers: ${issuers.length}`);
    if (JSON.stringify(own) === JSON.stringify(file.own)) return;
    logger.warn(`the section chancery of ${path} has changed, which takes effect at the next start`);
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
