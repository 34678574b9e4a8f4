import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { ChanceryProcess } from "@chancery/testing";
import { closedLoop, type LoadRequest, onTheWire } from "./closed-loop.ts";
import { percentile } from "./figures.ts";
import { treeCpu } from "./process-cpu.ts";
import { type Certified, v1Entries } from "./rekor-requests.ts";
import { once } from "./scenario.ts";

export interface OverloadOptions {
  readonly seconds: number;
  /** How many times its capacity is offered. */
  readonly factor: number;
}

const print = (line: string) => process.stdout.write(`${line}\n`);
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** As many as one address may have open; four addresses together fill the server. */
const CONNECTIONS_PER_ADDRESS = 1_000;
const ADDRESSES = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
const ALLOWED = new Set([201, 409, 429, 503]);
const BEST_CLIENTS = 128;
/** Seconds after which it must be as before. */
const RECOVERY = 10;
/** Per cent of the capacity. */
const LEAST_GOODPUT = 80;
/**
 * Bytes of the program: 256 MiB at rest, and twice, since V8 lets as much garbage stand beside what lives, what its limits
 * let in: bodies of 128 MiB, and 4,096 requests that are being answered, of 64 KiB each.
 */
const MOST_RESIDENT = 2 ** 30;

/**
 * Measures what the v1 API can do, then offers it `factor` times as many entries for a minute: arrivals by the clock,
 * whether or not earlier ones were answered, each on a connection of its own turn. What finds no free connection is
 * not sent: a server that is full lets the kernel hold back the rest. Then it must be as before within ten seconds.
 * Ends with 1 unless all that it holds the program to is so.
 */
export async function overload(
  stack: ChanceryProcess,
  signers: readonly Certified[],
  { seconds, factor }: OverloadOptions,
): Promise<void> {
  const entries = (count: number) => v1Entries(signers, count).requests;
  await closedLoop(stack.url, { clients: BEST_CLIENTS, seconds: 5, expect: 201, next: once(entries(30_000)) });
  const cpuBefore = cpuOf(stack);
  const peak = await closedLoop(stack.url, {
    clients: BEST_CLIENTS,
    seconds: 8,
    expect: 201,
    next: once(entries(48_000)),
  });
  const capacity = peak.requests / peak.seconds;
  const cost = (cpuOf(stack) - cpuBefore) / peak.requests;
  const alone = await closedLoop(stack.url, { clients: 1, seconds: 2, expect: 201, next: once(entries(2_000)) });
  const before = treeCpu(stack.pid).resident;
  print(
    `capacity: ${capacity.toFixed(0)}/s with ${BEST_CLIENTS} clients; one client p50 ${percentile(alone, 0.5).toFixed(1)} ms; ${mib(before)} resident`,
  );

  const flood = new Flood(stack, entries(Math.ceil(capacity * seconds * 2) + 8_000));
  const result = await flood.run(capacity * factor, seconds);
  const goodput = result.good / result.seconds;
  print(
    `offered ${(capacity * factor).toFixed(0)}/s for ${seconds} s: ${result.offered} entries, of which ${result.sent} found a connection`,
  );
  const answers = [...result.answers].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
  print(`answers: ${answers.join(", ")}; connections that were cut: ${result.cut}`);
  for (const text of result.told) print(`  ${text}`);
  const share = (goodput / capacity) * 100;

  // What other programs take of the machine changes from minute to minute, and this does not.
  print(
    `CPU of program and PostgreSQL for an entry: ${(cost * 1e6).toFixed(0)} µs at the capacity, ${(result.cpu * 1e6).toFixed(0)} µs now; ` +
      `this client used ${result.client.toFixed(2)} processors`,
  );
  const began = result.ended;
  let latency = Number.NaN;
  let normal = false;
  while (!normal && performance.now() - began < RECOVERY * 1_000) {
    const probe = { clients: 1, seconds: 1, expect: 201, next: once(entries(1_000)) };
    // A connection that is not taken is an answer too.
    const after = await closedLoop(stack.url, probe).catch(() => undefined);
    latency = after === undefined ? Number.NaN : percentile(after, 0.5);
    normal = after?.unexpected === 0 && latency < 2 * percentile(alone, 0.5) + 1;
  }
  const took = ((performance.now() - began) / 1000).toFixed(1);
  const strange = [...result.answers.keys()].filter((status) => !ALLOWED.has(status));
  judge(
    strange.length === 0 && result.cut === 0,
    `answers: only ${[...ALLOWED].join(", ")}, and no connection was cut`,
  );
  judge(share >= LEAST_GOODPUT, `goodput: ${goodput.toFixed(0)}/s, ${share.toFixed(0)} % of ${LEAST_GOODPUT}`);
  judge(
    result.resident <= MOST_RESIDENT,
    `memory: ${mib(result.resident)} resident at most of ${mib(MOST_RESIDENT)}, ${mib(before)} at the capacity`,
  );
  judge(normal, `afterwards: one client p50 ${latency.toFixed(1)} ms ${took} s after the end`);
}

function judge(holds: boolean, what: string): void {
  print(`${holds ? "holds " : "FAILED"} ${what}`);
  if (!holds) process.exitCode = 1;
}

interface Flooded {
  readonly answers: ReadonlyMap<number, number>;
  readonly good: number;
  readonly offered: number;
  readonly sent: number;
  readonly cut: number;
  /** What clients were told beside 201. */
  readonly told: readonly string[];
  readonly seconds: number;
  /** Bytes of the program, the most that were seen. */
  readonly resident: number;
  /** When the last was offered. */
  readonly ended: number;
  /** Seconds of program and PostgreSQL for each entry that was logged. */
  readonly cpu: number;
  /** Processors that this client used. */
  readonly client: number;
}

function cpuOf({ pid }: ChanceryProcess): number {
  const { program, children } = treeCpu(pid);
  return program + children;
}

class Flood {
  readonly #stack: ChanceryProcess;
  readonly #entries: readonly LoadRequest[];
  readonly #all = new Set<FloodConnection>();
  readonly #idle: FloodConnection[] = [];
  readonly #again: LoadRequest[] = [];
  readonly #answers = new Map<number, number>();
  readonly #told = new Set<string>();
  #taken = 0;
  #sent = 0;
  #cut = 0;
  #over = false;

  constructor(stack: ChanceryProcess, entries: readonly LoadRequest[]) {
    this.#stack = stack;
    this.#entries = entries;
  }

  async run(rate: number, seconds: number): Promise<Flooded> {
    for (const address of ADDRESSES) {
      for (let count = 0; count < CONNECTIONS_PER_ADDRESS; count++) this.#open(address);
    }
    await delay(1_000);
    const [before, clientBefore] = [cpuOf(this.#stack), process.cpuUsage()];
    const began = performance.now();
    let offered = 0;
    let resident = 0;
    let looked = began;
    for (let now = began; now - began < seconds * 1_000; now = performance.now()) {
      for (const due = ((now - began) / 1_000) * rate; offered < due; offered++) this.#arrive();
      if (now - looked > 500) {
        looked = now;
        resident = Math.max(resident, treeCpu(this.#stack.pid).resident);
      }
      await delay(2);
    }
    const took = (performance.now() - began) / 1_000;
    this.#over = true;
    const ended = performance.now();
    const good = this.#good;
    // What is under way is answered too: it counts for what an entry costs, and no more for the goodput.
    while (this.#idle.length < this.#all.size && performance.now() - ended < RECOVERY * 1_000) await delay(20);
    const cpu = (cpuOf(this.#stack) - before) / this.#good;
    const { user, system } = process.cpuUsage(clientBefore);
    for (const connection of this.#all) connection.end();
    return {
      answers: this.#answers,
      good,
      offered,
      sent: this.#sent,
      cut: this.#cut,
      seconds: took,
      ended,
      resident,
      told: [...this.#told].slice(0, 5),
      cpu,
      client: (user + system) / 1e6 / took,
    };
  }

  get #good(): number {
    return this.#answers.get(201) ?? 0;
  }

  #arrive(): void {
    const connection = this.#idle.pop();
    if (connection === undefined) return;
    const entry = this.#again.pop() ?? this.#entries[this.#taken++ % this.#entries.length];
    if (entry === undefined) return;
    this.#sent++;
    connection.send(onTheWire(this.#stack.url, entry), (status, text) => {
      if (status !== 201) this.#told.add(`${status} ${text.slice(0, 120)}`);
      this.#answers.set(status, (this.#answers.get(status) ?? 0) + 1);
      if (status === 503 || status === 429) this.#again.push(entry);
    });
  }

  #open(address: string): void {
    const connection = new FloodConnection(this.#stack.port, address, {
      idle: () => this.#idle.push(connection),
      closed: (unanswered, why) => {
        if (unanswered && !this.#over) {
          this.#cut++;
          this.#told.add(`cut: ${why}`);
        }
        this.#all.delete(connection);
        const at = this.#idle.indexOf(connection);
        if (at >= 0) this.#idle.splice(at, 1);
        if (!this.#over) setTimeout(() => this.#open(address), 100);
      },
    });
    this.#all.add(connection);
  }
}

const END_OF_HEAD = Buffer.from("\r\n\r\n");

/** One request at a time, until the server closes it. */
class FloodConnection {
  readonly #socket: Socket;
  readonly #idle: () => void;
  #received: Buffer = Buffer.alloc(0);
  #answered: ((status: number, text: string) => void) | undefined;

  constructor(
    port: number,
    from: string,
    on: { idle: () => void; closed: (unanswered: boolean, why: string) => void },
  ) {
    this.#idle = on.idle;
    this.#socket = connect({ host: "127.0.0.1", port, localAddress: from, noDelay: true }, on.idle);
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    let why = "closed";
    this.#socket.on("error", ({ message }) => (why = message));
    this.#socket.on("close", () => on.closed(this.#answered !== undefined, why));
  }

  send(request: Uint8Array, answered: (status: number, text: string) => void): void {
    this.#answered = answered;
    this.#socket.write(request);
  }

  end(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const head = this.#received.toString("latin1", 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#received.length < end + END_OF_HEAD.length + length) return;
    const text = this.#received.toString("utf8", end + END_OF_HEAD.length);
    this.#received = Buffer.alloc(0);
    const answered = this.#answered;
    this.#answered = undefined;
    answered?.(Number(head.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length)), text);
    if (/\r\nconnection: close/i.test(head)) this.#socket.end();
    else this.#idle();
  }
}
