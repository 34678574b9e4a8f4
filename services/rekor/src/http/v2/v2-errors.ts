import type { ErrorShape, Failure } from "@chancery/service";

/** Codes of google.rpc.Code, as the gateway in front of upstream's service writes them. */
const CODES: Readonly<Partial<Record<Failure["code"], number>>> = {
  "too-large": 8,
  "not-found": 5,
  duplicate: 6,
  pushback: 14,
  unavailable: 14,
  "refused-to-sign": 14,
  misconfigured: 13,
  internal: 13,
};
const INVALID_ARGUMENT = 3;

/** As google.rpc.Status is rendered. */
export function rpcStatus(code: number, message: string): string {
  return JSON.stringify({ code, message, details: [] });
}

/** A frozen log answers in plain text and with 405, as upstream: clients look at the status alone. */
export const v2Errors: ErrorShape = {
  contentType: ({ code }) => (code === "frozen" ? "text/plain; charset=utf-8" : "application/json"),
  status: ({ code, status }) => (code === "frozen" ? 405 : status),
  body: ({ code, message }) =>
    code === "frozen"
      ? "This log has been frozen, please switch to the latest log.\n"
      : rpcStatus(CODES[code] ?? INVALID_ARGUMENT, message),
};
