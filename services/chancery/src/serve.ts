import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { url as inspectorUrl } from "node:inspector";
import { Misconfigured } from "@chancery/fault";
import { createLogger, type Logger } from "@chancery/service";
import { type RunningStack, startStack } from "./all-in-one.ts";
import { renderBanner } from "./banner.ts";
import { warnOfEndedThreads } from "./ended-threads.ts";
import { showProgress } from "./progress.ts";
import { type Environment, resolveSettings, type ServeFlags, type Settings } from "./settings.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

interface Stop extends Disposable {
  readonly signal: AbortSignal;
  readonly ask: (why: string) => void;
  /** What it means from now on that the launcher passes SIGHUP on; an end until then. */
  hangUpMeans(meaning: () => void): void;
}

/** `chancery serve`: runs until it is told to stop; resolves with the exit code. */
export async function serve(flags: ServeFlags, environment: Environment): Promise<number> {
  const settings = await resolveSettings(flags, environment);
  refuseDebugger(settings);
  const logger = createLogger({ level: settings.logLevel });
  using stop = listenForStop(logger);
  const threads = warnOfEndedThreads((text) => logger.warn(text));
  const stack = await startWithProgress(settings, logger);
  if (!stop.signal.aborted) {
    const colour = process.stdout.isTTY && !environment["NO_COLOR"];
    const troubles = await stack.service.readiness.reasons();
    process.stdout.write(renderBanner(stack.facts, colour, troubles));
    const reload = listenForReload(stack, settings, stop);
    await once(stop.signal, "abort");
    reload[Symbol.dispose]();
  }
  await stack[Symbol.asyncDispose]();
  threads[Symbol.dispose]();
  return 0;
}

async function startWithProgress(settings: Settings, logger: Logger): Promise<RunningStack> {
  const progress = showProgress(process.stderr);
  try {
    return await startStack(settings, { logger, progress: (text) => progress.step(text) });
  } finally {
    progress.done();
  }
}

/**
 * The first signal asks for an orderly end, the second for any end: PostgreSQL stops by itself when we are
 * gone. So does the launcher's death, which closes its channel, or a terminal window's.
 */
function listenForStop(logger: Logger): Stop {
  const stop = new AbortController();
  const ask = (why: string) => {
    if (stop.signal.aborted) process.exit(130);
    logger.info(`${why}: finishing what is in flight; once more to stop at once`);
    stop.abort();
  };
  const launcherEnded = () => ask("the launcher has ended");
  let hangUp = () => ask("SIGHUP");
  // It has the terminal, and has looked whether that was closed: we have a process group of our own, and could not tell.
  const launcherSays = (message: unknown) => {
    if (message === "SIGHUP") hangUp();
  };
  for (const signal of SIGNALS) process.on(signal, ask);
  process.once("disconnect", launcherEnded);
  process.on("message", launcherSays);
  process.channel?.unref();
  return {
    signal: stop.signal,
    ask,
    hangUpMeans: (meaning) => void (hangUp = meaning),
    [Symbol.dispose]: () => {
      for (const signal of SIGNALS) process.off(signal, ask);
      process.off("disconnect", launcherEnded);
      process.off("message", launcherSays);
    },
  };
}

/**
 * Where there is a file of issuers SIGHUP asks to read it anew, as with other servers. It is also what a terminal that
 * is closed sends, and then it goes on meaning the end.
 */
function listenForReload(stack: RunningStack, { issuers }: Settings, stop: Stop): Disposable {
  if (issuers === undefined) return { [Symbol.dispose]: () => {} };
  const hangUp = () => {
    if (process.stdout.isTTY && !hasTerminal()) stop.ask("SIGHUP");
    else void stack.reload();
  };
  process.off("SIGHUP", stop.ask);
  process.on("SIGHUP", hangUp);
  stop.hangUpMeans(() => void stack.reload());
  return {
    [Symbol.dispose]: () => {
      process.off("SIGHUP", hangUp);
      stop.hangUpMeans(() => {});
    },
  };
}

/** The terminal that a process was started from can be opened for as long as it is there. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** Whoever reaches the inspector's port has every key in this process. */
function refuseDebugger(settings: Settings): void {
  if (settings.issuers !== undefined && inspectorUrl() !== undefined) {
    throw new Misconfigured("--inspect", "is for development mode only: it gives away every key in memory");
  }
}
