import { Unavailable } from "@chancery/fault";

/** What `work` resolves to. Unavailable once the signal has come: then it is not begun, or no longer waited for. */
export async function unlessStopped<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new Unavailable("the auditor stops", 0));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race(signal.aborted ? [stopped] : [stopped, work()]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
