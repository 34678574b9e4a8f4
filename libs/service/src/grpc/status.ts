import { status } from "@grpc/grpc-js";
import type { Failure } from "../failure.ts";

export { status as GrpcStatus } from "@grpc/grpc-js";

/** The names of gRPC's status codes, in their order: those that Go's libraries print and dashboards know. */
export const GRPC_CODE_NAMES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;

/** The one table from fault to gRPC status. */
const CODES: Readonly<Record<Failure["code"], status>> = {
  malformed: status.INVALID_ARGUMENT,
  unverified: status.INVALID_ARGUMENT,
  "insecure-key": status.INVALID_ARGUMENT,
  unsupported: status.INVALID_ARGUMENT,
  "unsupported-media-type": status.INVALID_ARGUMENT,
  "too-large": status.RESOURCE_EXHAUSTED,
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  "not-found": status.NOT_FOUND,
  duplicate: status.ALREADY_EXISTS,
  frozen: status.FAILED_PRECONDITION,
  pushback: status.UNAVAILABLE,
  "rate-limited": status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  "deadline-exceeded": status.DEADLINE_EXCEEDED,
  "refused-to-sign": status.UNAVAILABLE,
  damaged: status.DATA_LOSS,
  misconfigured: status.INTERNAL,
  http: status.INVALID_ARGUMENT,
  internal: status.INTERNAL,
};

export function grpcCodeOf(failure: Pick<Failure, "code">): status {
  return CODES[failure.code];
}

/** What a client is told of a failure. */
export interface ToldFailure {
  readonly message: string;
  /** Beside the message, for people. */
  readonly reason?: string | undefined;
}

/**
 * ```proto
 * message Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }
 * message Any { string type_url = 1; bytes value = 2; }
 * message LocalizedMessage { string locale = 1; string message = 2; }
 * ```
 *
 * What `grpc-status-details-bin` carries (google.rpc.Status).
 */
export function encodeStatus(code: number, { message, reason }: ToldFailure): Buffer {
  const details =
    reason === undefined ? [] : [field(3, field(1, LOCALIZED_MESSAGE), field(2, field(1, "en"), field(2, reason)))];
  return Buffer.concat([Buffer.from([1 << 3, code]), field(2, message), ...details]);
}

const LOCALIZED_MESSAGE = "type.googleapis.com/google.rpc.LocalizedMessage";

/** The same detail as the gateway renders it in JSON. */
export function localizedMessage(message: string): object {
  return { "@type": LOCALIZED_MESSAGE, locale: "en", message };
}

/** A field of wire type 2: its number, its length as a varint, its bytes. */
function field(number: number, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const bytes = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length, rest]), bytes]);
}
