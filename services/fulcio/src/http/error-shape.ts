import { utf8 } from "@chancery/encoding";
import type { ErrorShape, Failure } from "@chancery/service";
import { AuthorityFailure, sentenceAndReason } from "../domain/refusal.ts";

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

/** google.rpc.Status as the gateway renders it, but as bytes: to a text the framework would add a charset. */
export function rpcStatus(code: number, message: string, details: readonly object[] = []): Uint8Array {
  return utf8(JSON.stringify({ code, message, details }));
}

/**
 * In upstream's words, letter for letter, with our reason beside them as a detail that clients print and need not
 * know. Of the authority's and its log's failures nothing is told but what a fault says.
 */
export const fulcioErrors: ErrorShape = {
  contentType: "application/json",
  body: ({ code, message, error }) => {
    const told = error instanceof AuthorityFailure ? error.message : message;
    const { sentence, reason } = sentenceAndReason(told);
    return rpcStatus(CODES[code], sentence, reason === undefined ? [] : [localizedMessage(reason)]);
  },
};

/** google.rpc.LocalizedMessage, for people; a status carries such details by their type's URL. */
function localizedMessage(message: string): object {
  return { "@type": "type.googleapis.com/google.rpc.LocalizedMessage", locale: "en", message };
}
