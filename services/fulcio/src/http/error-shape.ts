import type { ErrorShape, Failure } from "@chancery/service";
import { AuthorityFailure } from "../domain/refusal.ts";

/** gRPC status codes, which the gateway in front of upstream's service writes into its errors. */
export const GRPC = {
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

const CODES: Readonly<Record<Failure["code"], number>> = {
  malformed: GRPC.invalidArgument,
  unverified: GRPC.invalidArgument,
  "insecure-key": GRPC.invalidArgument,
  unsupported: GRPC.invalidArgument,
  "unsupported-media-type": GRPC.invalidArgument,
  "too-large": GRPC.resourceExhausted,
  "not-found": GRPC.notFound,
  duplicate: GRPC.alreadyExists,
  frozen: GRPC.failedPrecondition,
  pushback: GRPC.unavailable,
  unavailable: GRPC.unavailable,
  "refused-to-sign": GRPC.unavailable,
  misconfigured: GRPC.internal,
  http: GRPC.invalidArgument,
  internal: GRPC.internal,
};

/** As google.rpc.Status is rendered. */
export function rpcStatus(code: number, message: string): string {
  return JSON.stringify({ code, message, details: [] });
}

/** The failures of the authority and its log are told in upstream's words; their causes are only logged. */
export const fulcioErrors: ErrorShape = {
  contentType: "application/json",
  body: ({ code, message, error }) =>
    rpcStatus(CODES[code], error instanceof AuthorityFailure ? error.message : message),
};
