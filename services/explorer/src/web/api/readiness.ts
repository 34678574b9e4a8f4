import { Fault } from "@chancery/fault";
import type { Answer } from "./answer.ts";
import { list, optional, shape, type Shaped, text } from "./shape.ts";

const readiness = shape({
  status: text,
  reasons: optional(list(shape({ service: text, reason: text }))),
  warnings: optional(list(shape({ service: text, warning: text }))),
});
export type Readiness = Shaped<typeof readiness>;

/** `GET /readyz`: its 503 is an answer like its 200, with the reasons in it. */
export async function fetchReadiness(signal?: AbortSignal): Promise<Answer<Readiness>> {
  try {
    const response = await fetch("/readyz", { redirect: "error", ...(signal && { signal }) });
    if (response.status !== 200 && response.status !== 503) {
      return { kind: "unavailable", message: `The server answered ${response.status}.` };
    }
    return { kind: "answered", value: readiness(await response.json(), "the answer") };
  } catch (error) {
    if (signal?.aborted === true) throw error;
    const message =
      error instanceof Fault ? `The answer was not understood: ${error.message}.` : "The server does not answer.";
    return { kind: "unavailable", message };
  }
}
