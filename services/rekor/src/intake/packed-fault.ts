import {
  Damaged,
  DeadlineExceeded,
  Duplicate,
  Fault,
  type FaultCode,
  Forbidden,
  Frozen,
  InsecureKey,
  Malformed,
  NotFound,
  Pushback,
  RateLimited,
  RefusedToSign,
  TooLarge,
  Unauthenticated,
  Unavailable,
  Unsupported,
  UnsupportedMediaType,
  Unverified,
} from "@chancery/fault";
import { SchemaViolation } from "../http/schema-violation.ts";

/** An error on its way to another thread, which knows classes of its own. */
interface FaultMessage {
  readonly message: string;
  /** Of a Fault; what has none is an error of the program. */
  readonly code?: FaultCode;
  readonly schemaCode?: number;
  readonly retryAfter?: number;
  /** For the operator's eyes. */
  readonly stack?: string | undefined;
}

export function packFault(error: Error): string {
  return JSON.stringify(messageOf(error));
}

export function unpackFault(packed: string): Error {
  const { message, code, schemaCode, retryAfter, stack } = JSON.parse(packed) as FaultMessage;
  if (schemaCode !== undefined) return new SchemaViolation(schemaCode, message);
  if (code !== undefined && code !== "misconfigured") return FAULTS[code](message, retryAfter ?? 1);
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

function messageOf(error: Error): FaultMessage {
  const { message, stack } = error;
  if (!(error instanceof Fault)) return { message, stack };
  if (error instanceof SchemaViolation) return { message, code: error.code, schemaCode: error.schemaCode };
  const waits = error instanceof Pushback || error instanceof RateLimited || error instanceof Unavailable;
  return { message, code: error.code, ...(waits && { retryAfter: error.retryAfter }) };
}

const FAULTS: Readonly<Record<Exclude<FaultCode, "misconfigured">, (message: string, retryAfter: number) => Fault>> = {
  malformed: (message) => new Malformed(message),
  unverified: (message) => new Unverified(message),
  "insecure-key": (message) => new InsecureKey(message),
  unsupported: (message) => new Unsupported(message),
  "unsupported-media-type": (message) => new UnsupportedMediaType(message),
  "too-large": (message) => new TooLarge(message),
  unauthenticated: (message) => new Unauthenticated(message),
  forbidden: (message) => new Forbidden(message),
  "not-found": (message) => new NotFound(message),
  duplicate: (message) => new Duplicate(message),
  frozen: (message) => new Frozen(message),
  pushback: (message, retryAfter) => new Pushback(message, retryAfter),
  "rate-limited": (message, retryAfter) => new RateLimited(message, retryAfter),
  unavailable: (message, retryAfter) => new Unavailable(message, retryAfter),
  "deadline-exceeded": (message) => new DeadlineExceeded(message),
  "refused-to-sign": (message) => new RefusedToSign(message),
  damaged: (message) => new Damaged(message),
};
