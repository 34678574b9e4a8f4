import { generateKeyPairSync, hash, sign, verify } from "node:crypto";
import { cpus } from "node:os";

const SAMPLE_MS = 150;

/**
 * The first line of a bench: what the machine is, and what one of its cores does at this hour by itself. Figures of two
 * machines, or of one whose neighbours have woken up, compare only beside these: by CPU time, so that waiting for a
 * core does not count.
 */
export function describeMachine(sharedBy: string): string {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const message = new Uint8Array(65);
  const signature = sign("sha256", message, privateKey);
  const [signs, verifies, hashes] = [
    () => sign("sha256", message, privateKey),
    () => verify("sha256", message, publicKey, signature),
    () => hash("sha256", message, "buffer"),
  ].map((call) => perSecond(call).toLocaleString("en"));
  return (
    `${cpus().length} cores, shared by ${sharedBy}; Node ${process.version}\n` +
    `one core: ${signs} P-256 signatures/s, ${verifies} verifications/s, ${hashes} SHA-256 of 65 bytes/s`
  );
}

/** Two digits of it. */
function perSecond(call: () => unknown): number {
  const until = performance.now() + SAMPLE_MS;
  const before = process.cpuUsage();
  let calls = 0;
  for (; performance.now() < until; calls++) call();
  const { user, system } = process.cpuUsage(before);
  return Number(((calls / (user + system)) * 1e6).toPrecision(2));
}
