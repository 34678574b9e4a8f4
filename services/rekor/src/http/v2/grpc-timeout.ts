import { DeadlineExceeded, Malformed } from "@chancery/fault";

/** gRPC over HTTP2, "Timeout": at most eight digits and a unit. */
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const MILLISECONDS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
/** Node ends a timer of more at once; the log has answered long before. */
const LONGEST = 2 ** 31 - 1;

/**
 * The answer, within the time that a client gives in `Grpc-Timeout`, or DeadlineExceeded: the gateway in front of
 * upstream's service reads that header (grpc-gateway, AnnotateContext). What was begun goes on: the entry may be logged.
 */
export async function withinGrpcTimeout<T>(
  header: string | string[] | undefined,
  answer: () => Promise<T>,
): Promise<T> {
  const timeout = readTimeout(header);
  if (timeout === undefined) return answer();
  if (timeout < 1) throw late();
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), timeout);
  try {
    return await Promise.race([answer(), promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Milliseconds. Zero is none, as there. */
function readTimeout(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === "") return undefined;
  const [, digits, unit = ""] = TIMEOUT.exec(String(header)) ?? [];
  if (digits === undefined) throw new Malformed(`invalid grpc-timeout: ${String(header).slice(0, 64)}`);
  const timeout = Number(digits) * (MILLISECONDS[unit] ?? 0);
  return timeout === 0 ? undefined : Math.min(timeout, LONGEST);
}

function late(): DeadlineExceeded {
  return new DeadlineExceeded("context deadline exceeded");
}
