import { Fault, type FaultCode, Pushback, Unavailable } from "@chancery/fault";

/**
 * Upstream's sentences (fulcio: pkg/server/error.go). Scripts match on them, so they never change;
 * our reason follows after a colon in the log, and beside them in an answer.
 */
export const REFUSAL = {
  identityToken: "There was an error processing the identity token",
  publicKey: "The public key supplied in the request could not be parsed",
  insecureKey: "The public key supplied in the request is insecure",
  signature: "The signature supplied in the request could not be verified",
  certificateRequest: "The certificate signing request could not be parsed",
  signatureAlgorithm: "unrecognized signature algorithm",
  ctLog: "Error entering certificate in CTL",
  authority: "error communicating with CA backend",
} as const;

/** Upstream's sentence and our reason, of a message that {@link refusal} or {@link AuthorityFailure} put together. */
export function sentenceAndReason(message: string): { readonly sentence: string; readonly reason?: string } {
  const sentence = Object.values(REFUSAL).find((known) => message.startsWith(`${known}: `));
  return sentence === undefined ? { sentence: message } : { sentence, reason: message.slice(sentence.length + 2) };
}

/** A request that gets no certificate, for a reason that lies in the request. */
class Refused extends Fault {
  readonly code: FaultCode;
  readonly sentence: string;

  constructor(sentence: string, cause: Fault) {
    super(`${sentence}: ${cause.message}`, { cause });
    this.code = cause.code;
    this.sentence = sentence;
  }
}

/** Which of the sentences an error was told in. */
export function refusalKind(error: unknown): keyof typeof REFUSAL | undefined {
  if (!(error instanceof Refused || error instanceof AuthorityFailure)) return undefined;
  return (Object.keys(REFUSAL) as (keyof typeof REFUSAL)[]).find((kind) => REFUSAL[kind] === error.sentence);
}

/** Puts upstream's sentence before a fault's own reason; what is no fault stays what it is. */
export function refusal(sentence: string, error: unknown): unknown {
  if (error instanceof Unavailable || error instanceof Pushback) {
    const Kind = error instanceof Unavailable ? Unavailable : Pushback;
    return new Kind(`${sentence}: ${error.message}`, error.retryAfter, { cause: error });
  }
  return error instanceof Fault ? new Refused(sentence, error) : error;
}

/**
 * The authority or its CT log failed; nothing in the request can help. Upstream answers 500 with its
 * sentence, and so do we. Of the cause the client reads what a fault says; the rest is for the operator's log.
 */
export class AuthorityFailure extends Error {
  readonly sentence: string;

  constructor(sentence: string, cause: unknown) {
    super(cause instanceof Fault ? `${sentence}: ${cause.message}` : sentence, { cause });
    this.name = "AuthorityFailure";
    this.sentence = sentence;
  }
}
