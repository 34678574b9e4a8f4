import { utcTime } from "../text/time.ts";
import { isAfter, isBefore, type TrustedKey, type Validity } from "./trusted-keys.ts";
import type { Finding, Step } from "./step.ts";

interface Signed {
  readonly steps: readonly Step[];
  /** The key under which the checkpoint verified. */
  readonly logKey: TrustedKey | undefined;
}

/**
 * A trusted root that ends a log's key ends it for what was logged later: whoever has the key from then on can sign any
 * tree. As clients do, the time that is held against its life is that of the entry, which log or timestamp authority has
 * signed: a checkpoint has none of its own. Without such a time an ended key leaves a doubt. Times in milliseconds.
 */
export function withKeyLife({ steps, logKey }: Signed, times: readonly number[], now: number): readonly Step[] {
  const { validFor } = logKey ?? {};
  if (validFor === undefined) return steps;
  return steps.map((step) => {
    if (step.id !== "log-signature" || step.state !== "passed") return step;
    const found = judge(validFor, times, now);
    return found === undefined
      ? step
      : { ...step, ...found, values: [...step.values, ["Believed", lifeWords(validFor)]] };
  });
}

function judge(validFor: Validity, times: readonly number[], now: number): Finding | undefined {
  const [start, end] = [utcTime(validFor.start ?? ""), utcTime(validFor.end ?? "")];
  if (times.some((at) => isAfter(at, validFor))) {
    const words = `The trusted root has ended this key on ${end}, and the entry is of after that: whoever has the key now may have made it.`;
    return { state: "failed", words };
  }
  if (times.some((at) => isBefore(at, validFor))) {
    return {
      state: "failed",
      words: `The trusted root believes this key from ${start} on, and the entry is of before.`,
    };
  }
  if (times.length > 0) return undefined;
  if (isAfter(now, validFor)) {
    const words = `The signature holds, but the trusted root has ended this key on ${end}, and no time is proven that would lie before: whoever has the key now may have signed this since.`;
    return { state: "doubtful", words };
  }
  if (isBefore(now, validFor)) {
    const words = `The signature holds, but the trusted root believes this key from ${start} on only, and by this computer's clock it is not yet then.`;
    return { state: "doubtful", words };
  }
  return undefined;
}

export function lifeWords({ start, end }: Validity): string {
  return `${start === undefined ? "from ever" : `from ${utcTime(start)}`}, ${end === undefined ? "without an end" : `to ${utcTime(end)}`}`;
}
