import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { THREAD_ENDED, type ThreadEnded } from "@chancery/crypto";

/** Milliseconds. One that ends at each start ends many times a second. */
const BETWEEN_WARNINGS = 60_000;

/**
 * Warns of threads that verify signatures and ended: no answer is lost or wrong by it, but what they had is verified by the main
 * thread, which answers nobody meanwhile.
 */
export function warnOfEndedThreads(
  warn: (text: string) => void,
  clock: () => number = () => performance.now(),
): Disposable {
  let [last, unsaid] = [-Infinity, 0];
  const listener = (message: unknown) => {
    unsaid += 1;
    if (clock() - last < BETWEEN_WARNINGS) return;
    const { program, reason } = message as ThreadEnded;
    const often = unsaid === 1 ? "" : `, and ${unsaid - 1} times more since the last warning`;
    [last, unsaid] = [clock(), 0];
    warn(
      `the thread ${program}, which verifies signatures, ended: ${reason}${often}. What it had was verified without it; if it ends again ` +
        "and again, everything is slower: look for a limit on memory or on the number of threads",
    );
  };
  subscribe(THREAD_ENDED, listener);
  return { [Symbol.dispose]: () => void unsubscribe(THREAD_ENDED, listener) };
}
