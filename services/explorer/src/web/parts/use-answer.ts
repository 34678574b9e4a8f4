import { useEffect, useState } from "preact/hooks";
import type { Answer } from "../api/answer.ts";

/** Asks when `key` changes; an answer to an earlier question never replaces a later one's. */
export function useAnswer<T>(
  key: string,
  question: (signal: AbortSignal) => Promise<Answer<T>>,
): Answer<T> | undefined {
  const [answer, setAnswer] = useState<{ readonly key: string; readonly answer: Answer<T> }>();
  useEffect(() => {
    const stop = new AbortController();
    question(stop.signal).then(
      (found) => {
        if (!stop.signal.aborted) setAnswer({ key, answer: found });
      },
      () => {},
    );
    return () => stop.abort();
  }, [key]);
  return answer?.key === key ? answer.answer : undefined;
}
