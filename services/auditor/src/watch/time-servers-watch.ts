import type { Report } from "../domain/alarm.ts";
import { type ClockReading, SntpFault } from "../domain/clock/sntp.ts";
import { judgeTime, type NamedReading } from "../domain/clock/time-verdict.ts";
import type { TimeServer } from "../public/sntp-client.ts";
import { messageOf } from "./wrong.ts";

const CHECK = "clock and time servers";
/** One answer that is late or lost is none. */
const OFF_MS = 60_000;
const SILENT_MS = 15 * 60_000;
/** What a server that is asked too often by somebody behind our address gets of peace. */
const RATE_MS = 3_600_000;

interface Around {
  readonly report: Report;
  readonly now: () => number;
  readonly ask: (server: TimeServer) => Promise<ClockReading>;
}

/**
 * This machine's clock against the operator's time servers. Without them, clocks of the installation can only be compared
 * with each other: that all of them are wrong alike nobody inside can see.
 */
export class TimeServersWatch {
  readonly #servers: readonly TimeServer[];
  readonly #around: Around;
  /** Those that said no: until when. */
  readonly #quiet = new Map<TimeServer, number>();

  constructor(servers: readonly TimeServer[], around: Around) {
    this.#servers = servers;
    this.#around = around;
  }

  async check(): Promise<void> {
    const { report, now } = this.#around;
    const asked = this.#servers.filter((server) => (this.#quiet.get(server) ?? 0) <= now());
    const answers = await Promise.all(asked.map((server) => this.#ask(server)));
    const readings = answers.filter((answer) => typeof answer !== "string");
    const silent = answers.filter((answer) => typeof answer === "string");
    if (readings.length === 0) {
      const what = `no time server tells the time: ${silent.join(", ") || "all of them asked not to be asked"}`;
      return report.failed(CHECK, { trouble: "time-source", what, toleratedMs: SILENT_MS });
    }
    const { kind, what } = judgeTime(readings);
    const told = silent.length === 0 ? what : `${what} (${silent.join(", ")})`;
    if (kind === "agrees") report.passed(CHECK, told);
    else if (kind === "off") await report.failed(CHECK, { trouble: "clock", what: told, toleratedMs: OFF_MS });
    else await report.failed(CHECK, { trouble: "time-source", what: told, toleratedMs: SILENT_MS });
  }

  async #ask(server: TimeServer): Promise<NamedReading | string> {
    const name = `${server.host}:${server.port}`;
    try {
      return { name, ...(await this.#around.ask(server)) };
    } catch (error) {
      if (error instanceof SntpFault && error.kiss !== undefined) {
        // RFC 4330, Section 8: DENY and RSTR mean never again, RATE means less often.
        const restMs = error.kiss === "DENY" || error.kiss === "RSTR" ? Infinity : RATE_MS;
        this.#quiet.set(server, this.#around.now() + restMs);
      }
      return `${name} ${messageOf(error)}`;
    }
  }
}
