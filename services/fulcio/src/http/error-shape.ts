import { utf8 } from "@chancery/encoding";
import { type ErrorShape, type Failure, grpcCodeOf, localizedMessage, type ToldFailure } from "@chancery/service";
import { AuthorityFailure, sentenceAndReason } from "../domain/refusal.ts";

/** google.rpc.Status as the gateway renders it, but as bytes: to a text the framework would add a charset. */
export function rpcStatus(code: number, message: string, details: readonly object[] = []): Uint8Array {
  return utf8(JSON.stringify({ code, message, details }));
}

/**
 * In upstream's words, letter for letter, with our reason beside them as a detail that clients print and need not
 * know. Of the authority's and its log's failures nothing is told but what a fault says.
 */
export function tellFailure({ message, error }: Failure): ToldFailure {
  const { sentence, reason } = sentenceAndReason(error instanceof AuthorityFailure ? error.message : message);
  return { message: sentence, reason };
}

export const fulcioErrors: ErrorShape = {
  contentType: "application/json",
  body: (failure) => {
    const { message, reason } = tellFailure(failure);
    return rpcStatus(grpcCodeOf(failure), message, reason === undefined ? [] : [localizedMessage(reason)]);
  },
};
