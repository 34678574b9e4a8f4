import type { LoggerService } from "@nestjs/common";
import { type Logger, pino } from "pino";
import { LineWriter } from "./line-writer.ts";
import { CENSORED, censor, censorMembers, oneLine, redact, SECRET_FIELDS } from "./redact.ts";

export type { Logger } from "pino";

export interface LoggerOptions {
  readonly level?: LogLevel;
  /** Lines for a reader at a terminal instead of JSON. Default: whether stderr is one. */
  readonly human?: boolean;
  /** Where lines go; default is stderr. */
  readonly write?: (line: string) => void;
}

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";

/** The program's log. Every finished line passes `redact`, whatever field a secret came in by. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const human = options.human ?? (options.write === undefined && process.stderr.isTTY);
  const write = options.write ?? stderrWriter();
  return pino(
    {
      level: options.level ?? "info",
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: censorMembers },
      serializers: { err: (error: Error) => censor(pino.stdSerializers.err(error)) },
      redact: { paths: [...SECRET_FIELDS], censor: CENSORED },
    },
    { write: (line) => write(human ? humanLine(line) : redact(line)) },
  );
}

/** One for the process, however many loggers there are, so that their lines do not mix. */
let stderrLines: LineWriter | undefined;

function stderrWriter(): (line: string) => void {
  if (stderrLines === undefined) {
    const lines = new LineWriter(2);
    process.once("exit", () => lines.flushAtExit());
    stderrLines = lines;
  }
  const lines = stderrLines;
  return (line) => lines.write(line);
}

function humanLine(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const at = String(time).slice(11, 19);
  const context = Object.entries(rest).map(([name, value]) => `${name}=${inline(value)}`);
  const cause = isErrorText(err) ? ` (${err.stack ?? err.message})` : "";
  const text = [at, String(level).padEnd(5), msg, ...context].join(" ");
  return `${oneLine(redact(text + cause))}\n`;
}

function inline(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isErrorText(value: unknown): value is { message: string; stack?: string } {
  return typeof value === "object" && value !== null && "message" in value;
}

/** Nest's own words through the program's logger: its boot chatter at debug, its troubles as they are. */
export function nestLogger(logger: Logger): LoggerService {
  const line =
    (level: "debug" | "warn" | "error" | "fatal") =>
    (message: unknown, ...context: unknown[]) => {
      const from = { from: context.findLast((part) => typeof part === "string") };
      if (message instanceof Error) logger[level]({ ...from, err: message }, message.message);
      else logger[level](from, typeof message === "string" ? message : JSON.stringify(message));
    };
  return {
    log: line("debug"),
    debug: line("debug"),
    verbose: line("debug"),
    warn: line("warn"),
    error: line("error"),
    fatal: line("fatal"),
  };
}
