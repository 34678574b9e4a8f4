import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort, startChancery } from "@chancery/testing";
import { Chance } from "./chance.ts";
import { type Gauges, readGauges } from "./gauges.ts";
import { type FuzzRequest, fuzzRequest } from "./requests.ts";
import { realEntries } from "./seeds.ts";
import { type Outcome, Sender } from "./send.ts";

export interface FuzzOptions {
  readonly requests: number;
  readonly seed: number;
  readonly clients: number;
  readonly progress?: ((done: number, gauges: Gauges) => void) | undefined;
}

export interface Finding {
  readonly index: number;
  readonly request: FuzzRequest;
  readonly outcome: Outcome;
  /** Milliseconds. */
  readonly took: number;
}

export interface FuzzReport {
  /** How often each was answered; `cut` for connections that the server ended. */
  readonly answers: ReadonlyMap<string, number>;
  /** What 503 was answered for: allowed, and worth a look. */
  readonly pushbacks: ReadonlyMap<string, number>;
  /** Answers ≥ 500 that are not 503, and requests that were never answered. */
  readonly bad: readonly Finding[];
  readonly slowest: readonly Finding[];
  /** Milliseconds of the longest turn of the server's event loop. */
  readonly longestStall: number;
  /** Turns longer than {@link STALL}, as the metric tells them: at most one an interval. */
  readonly stalls: readonly Stall[];
  /** Bytes, the most that were resident, and before and after. */
  readonly resident: { readonly before: number; readonly most: number; readonly after: number };
  /** Whether the process is the one that was started: an unhandled rejection ends it. */
  readonly survived: boolean;
  /** What it printed and should not have. */
  readonly complaints: readonly string[];
}

export interface Stall {
  readonly milliseconds: number;
  /**
   * Whether the process worked that long meanwhile. A turn of 700 ms in which all its threads together had 200 ms of a
   * processor was one of waiting for a processor, which others had.
   */
  readonly isOwn: boolean;
  readonly near: readonly Finding[];
}

export const STALL = 500;
/** Milliseconds between two looks at the metrics; the gauge holds the longest turn of the interval. */
const LOOK_EVERY = 500;
const MOST_KEPT = 20;

/** Sends requests that are nearly good to the whole program, and reports what became of it. */
export async function fuzz({ requests, seed, clients, progress }: FuzzOptions): Promise<FuzzReport> {
  await using open = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "chancery-fuzz-"));
  open.defer(() => rm(folder, { recursive: true, force: true }));
  const metrics = await freePort();
  const config = join(folder, "config.json");
  const issuer = { "issuer-url": "https://issuer.example.com", "client-id": "sigstore", type: "email" };
  await writeFile(
    config,
    JSON.stringify({
      "oidc-issuers": { [issuer["issuer-url"]]: issuer },
      chancery: { metrics: { port: metrics }, "log-level": "error" },
    }),
  );
  const stack = open.use(await startChancery({ args: ["--config", config] }));
  const sender = open.use(new Sender(stack.url, clients));
  const run = new Run({ requests, seed, clients, sender, metricsUrl: `http://127.0.0.1:${metrics}/metrics`, progress });
  const report = await run.whole();
  const survived = await fetch(`${stack.url}/livez`).then(
    ({ ok }) => ok,
    () => false,
  );
  return { ...report, survived, complaints: complaintsIn(stack.output()) };
}

/** Of what is printed at level `error`, and of what Node itself says. */
function complaintsIn(output: string): string[] {
  const lines = output.split("\n");
  return lines
    .filter((line) => /unhandled|uncaught|ERROR|"level":"error"|FATAL|Warning:/i.test(line))
    .slice(0, MOST_KEPT);
}

interface RunOptions extends FuzzOptions {
  readonly sender: Sender;
  readonly metricsUrl: string;
}

class Run {
  readonly #options: RunOptions;
  readonly #seeds = realEntries();
  readonly #answers = new Map<string, number>();
  readonly #pushbacks = new Map<string, number>();
  readonly #bad: Finding[] = [];
  readonly #stalls: Stall[] = [];
  #cpu = 0;
  #slowest: Finding[] = [];
  #recent: Finding[] = [];
  #longestStall = 0;
  #most = 0;
  #next = 0;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  async whole(): Promise<Omit<FuzzReport, "survived" | "complaints">> {
    const { clients, metricsUrl } = this.#options;
    // The first turns compile and are the start's own.
    const { resident: before, cpu } = await readGauges(metricsUrl);
    this.#cpu = cpu;
    const stop = new AbortController();
    const watching = this.#watch(stop.signal);
    await Promise.all(Array.from({ length: clients }, () => this.#client()));
    stop.abort();
    await watching;
    await delay(2_000);
    const { resident: after } = await readGauges(metricsUrl);
    return {
      answers: this.#answers,
      pushbacks: this.#pushbacks,
      bad: this.#bad,
      slowest: this.#slowest,
      longestStall: this.#longestStall,
      stalls: this.#stalls,
      resident: { before, most: this.#most, after },
    };
  }

  async #client(): Promise<void> {
    const { requests, seed, sender } = this.#options;
    while (this.#next < requests) {
      const index = this.#next++;
      const request = fuzzRequest(this.#seeds, new Chance(seed, index));
      const began = performance.now();
      const outcome = await sender.send(request);
      this.#take({ index, request, outcome, took: performance.now() - began });
    }
  }

  #take(finding: Finding): void {
    const { outcome } = finding;
    const name = "status" in outcome ? String(outcome.status) : "cut";
    this.#answers.set(name, (this.#answers.get(name) ?? 0) + 1);
    if (name === "503" && "text" in outcome && this.#pushbacks.size < MOST_KEPT) {
      const what = `${finding.request.path.split("?", 1)[0]}: ${outcome.text}`;
      this.#pushbacks.set(what, (this.#pushbacks.get(what) ?? 0) + 1);
    }
    if (isBad(outcome) && this.#bad.length < MOST_KEPT) this.#bad.push(finding);
    this.#recent.push(finding);
    if (finding.took > (this.#slowest.at(-1)?.took ?? 0) || this.#slowest.length < MOST_KEPT) {
      this.#slowest = [...this.#slowest, finding].sort((a, b) => b.took - a.took).slice(0, MOST_KEPT);
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(LOOK_EVERY);
      const gauges = await readGauges(this.#options.metricsUrl).catch(() => undefined);
      if (gauges === undefined) return;
      this.#most = Math.max(this.#most, gauges.resident);
      this.#longestStall = Math.max(this.#longestStall, gauges.stall);
      if (gauges.stall > STALL) {
        const near = this.#recent.toSorted((a, b) => b.took - a.took).slice(0, 5);
        const isOwn = (gauges.cpu - this.#cpu) * 1000 > STALL;
        this.#stalls.push({ milliseconds: gauges.stall, isOwn, near });
      }
      this.#cpu = gauges.cpu;
      this.#recent = [];
      this.#options.progress?.(this.#next, gauges);
    }
  }
}

function isBad(outcome: Outcome): boolean {
  if ("cut" in outcome) return outcome.cut === "no answer in a minute";
  return outcome.status >= 500 && outcome.status !== 503;
}
