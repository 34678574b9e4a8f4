import { DeadlineExceeded, Malformed } from "@chancery/fault";

/** As grpc-gateway reads it (timeoutDecode): any whole number of Go's int64, where gRPC itself has eight digits and no sign. */
const TIMEOUT = /^([+-]?\d+)([HMSmun])$/;
const MOST = 2n ** 63n;
const MILLISECONDS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
/** Node ends a timer of more at once; every service has answered long before. */
const LONGEST = 2 ** 31 - 1;

/**
 * The answer, within the time that a client gives in `Grpc-Timeout`, or DeadlineExceeded: the gateway in front of
 * upstream's service reads that header (grpc-gateway, AnnotateContext). What was begun goes on: an entry may be logged, a
 * certificate issued that nobody is given.
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
  if (digits === undefined || digits.length > 20 || !isInt64(BigInt(digits.replace("+", "")))) {
    throw new Malformed(`invalid grpc-timeout: ${String(header).slice(0, 64)}`);
  }
  const timeout = Number(digits) * (MILLISECONDS[unit] ?? 0);
  return timeout === 0 ? undefined : Math.min(timeout, LONGEST);
}

function isInt64(value: bigint): boolean {
  return value >= -MOST && value < MOST;
}

function late(): DeadlineExceeded {
  return new DeadlineExceeded("context deadline exceeded");
}
