import { type ErrorShape, grpcCodeOf } from "@chancery/service";

/** As google.rpc.Status is rendered by the gateway in front of upstream's service. */
export function rpcStatus(code: number, message: string): string {
  return JSON.stringify({ code, message, details: [] });
}

/** A frozen log answers in plain text and with 405, as upstream: clients look at the status alone. */
export const v2Errors: ErrorShape = {
  contentType: ({ code }) => (code === "frozen" ? "text/plain; charset=utf-8" : "application/json"),
  status: ({ code, status }) => (code === "frozen" ? 405 : status),
  body: (failure) =>
    failure.code === "frozen"
      ? "This log has been frozen, please switch to the latest log.\n"
      : rpcStatus(grpcCodeOf(failure), failure.message),
};
