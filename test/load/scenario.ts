import type { ChanceryProcess } from "@chancery/testing";
import type { LoadRequest } from "./closed-loop.ts";

/** One hot path. `prepare` makes requests outside the measured time, so that the client's own keys cost nothing. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly expect: number;
  /** `count` requests, as many as may be sent in one round; each call makes new ones. */
  readonly prepare: (stack: ChanceryProcess, count: number) => Promise<() => LoadRequest | undefined>;
}

/** The same requests over and over. */
export function repeat(requests: readonly LoadRequest[]): () => LoadRequest | undefined {
  let sent = 0;
  return () => requests[sent++ % requests.length];
}

/** Each request once. */
export function once(requests: readonly LoadRequest[]): () => LoadRequest | undefined {
  let sent = 0;
  return () => requests[sent++];
}

export const json = (value: unknown): Pick<LoadRequest, "headers" | "body"> => ({
  headers: { "Content-Type": "application/json" },
  body: Buffer.from(JSON.stringify(value)),
});
