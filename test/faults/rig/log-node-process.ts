import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { Journal } from "./journal.ts";
import type { Orders } from "./log-node.ts";

const PROGRAM = join(import.meta.dirname, "log-node.ts");
const STOP_MS = 20_000;

/** A log node from the outside: orders go in, and all that it says goes into the journal. */
export class LogNode implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #orders = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #ended: Promise<unknown>;
  readonly #watchers = new Set<() => void>();
  journal: Journal;
  /** Acknowledgements of this process alone. */
  acknowledgements = 0;
  /** How often a client of this process was told to ask again, and what the last one was told. */
  postponements = 0;
  lastPostponement = "";
  /** The failpoint this process has come to. */
  struck: string | undefined;
  /** When the newest acknowledgement came. */
  lastAcknowledged = -Infinity;
  readonly signed: bigint[] = [];

  private constructor(journal: Journal) {
    this.journal = journal;
    this.#child = spawn(process.execPath, ["--conditions=@chancery/source", PROGRAM], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "chancery-faults-compiled"), VITEST: undefined },
    });
    this.#ended = once(this.#child, "close");
    this.#child.stdin!.on("error", () => {});
    const lines = createInterface({ input: this.#child.stdout! });
    lines.on("line", (line) => this.#heard(line));
    void this.#ended.then(() => this.#end());
  }

  /** Loads its modules at once; does nothing until it is ordered to. */
  static start(journal: Journal): LogNode {
    return new LogNode(journal);
  }

  /** Rejects when the process ends before it has done it. */
  order<Name extends keyof Orders>(name: Name, order: Orders[Name]): Promise<unknown> {
    const id = this.#orders.size + 1;
    const done = Promise.withResolvers<unknown>();
    // Orders to a process that is to be killed are often not waited for.
    done.promise.catch(() => {});
    this.#orders.set(id, done);
    this.#child.stdin!.write(`${JSON.stringify({ id, name, order })}\n`);
    return done.promise;
  }

  /** Resolves once this holds, looked at whenever the process says something. */
  async until(holds: () => boolean, withinMs: number, what: string): Promise<void> {
    const over = Promise.withResolvers<void>();
    const look = () => {
      if (holds()) over.resolve();
      else if (this.#isOver) over.reject(new Error(`the log node ended before ${what}`));
    };
    const late = setTimeout(() => {
      const told = this.journal.refusals.at(-1) ?? this.lastPostponement;
      over.reject(new Error(`not within ${withinMs} ms: ${what} (clients were told last: ${told})`));
    }, withinMs);
    this.#watchers.add(look);
    look();
    try {
      await over.promise;
    } finally {
      clearTimeout(late);
      this.#watchers.delete(look);
    }
  }

  /** Resolves at the next acknowledgement. */
  async acknowledges(withinMs: number, count = 1): Promise<void> {
    const before = this.acknowledgements;
    await this.until(() => this.acknowledgements >= before + count, withinMs, "an acknowledgement");
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /**
   * Resolves once it has come to the step at which it stops itself, and has stopped: it says so before, and one that is sent
   * SIGCONT in between stops for good.
   */
  async stopsAt(step: string): Promise<void> {
    await this.until(() => this.struck === step, STOP_MS, `it comes to '${step}'`);
    for (const end = performance.now() + STOP_MS; !this.#isStopped(); await delay(5)) {
      if (performance.now() > end) throw new Error(`it came to '${step}' and did not stop`);
    }
  }

  /** Kills it and resolves when the last it said has been heard. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async ended(): Promise<void> {
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  /** Where there is no /proc it is taken to have stopped. */
  #isStopped(): boolean {
    const stat = `/proc/${this.#child.pid}/stat`;
    if (!existsSync(stat)) return true;
    const text = readFileSync(stat, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).startsWith("T");
  }

  get #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #heard(line: string): void {
    // What a killed process did not finish writing was never heard.
    if (!line.endsWith(" .")) return;
    const [word, ...rest] = line.slice(0, -2).split(" ");
    if (word === "asked") this.journal.asked(rest[0]!);
    else if (word === "acked") this.#acknowledged(rest);
    else if (word === "signed") this.#signedHead(rest);
    else if (word === "refused") this.journal.refusals.push(rest.join(" "));
    else if (word === "unexpected") this.journal.unexpected.push(rest.join(" "));
    else if (word === "struck") this.struck = rest[0]!;
    else if (word === "done" || word === "failed") this.#finish(word, Number(rest[0]), rest.slice(1).join(" "));
    else if (word === "postponed") {
      this.postponements++;
      this.lastPostponement = rest.join(" ");
    }
    for (const look of this.#watchers) look();
  }

  #acknowledged([name, index, leafHash, duplicate, size, root, time]: string[]): void {
    this.acknowledgements++;
    this.lastAcknowledged = performance.now();
    this.journal.answered({
      name: name!,
      index: BigInt(index!),
      leafHash: leafHash!,
      duplicate: duplicate === "1",
      head: { size: BigInt(size!), root: root!, time: Number(time) },
    });
  }

  #signedHead([size, root, time]: string[]): void {
    this.signed.push(BigInt(size!));
    this.journal.signed.push({ size: BigInt(size!), root: root!, time: Number(time) });
  }

  #finish(word: string, id: number, text: string): void {
    if (word === "done") this.#orders.get(id)?.resolve(JSON.parse(text));
    else this.#orders.get(id)?.reject(new Error(`the log node says: ${JSON.parse(text)}`));
  }

  #end(): void {
    for (const look of this.#watchers) look();
    for (const order of this.#orders.values()) order.reject(new Error("the log node ended"));
  }
}
