import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { type ClockReading, encodeSntpRequest, isAnswerTo, readSntpAnswer, SntpFault } from "../domain/clock/sntp.ts";

export interface TimeServer {
  readonly host: string;
  readonly port: number;
}

const TIMEOUT_MS = 3_000;

interface Clocks {
  readonly now: () => number;
  /** Milliseconds that nobody can set. */
  readonly elapsed: () => number;
}

/** Asks once. The socket is connected, so that answers from elsewhere do not arrive; those with another nonce are passed over. */
export async function askTime(
  { host, port }: TimeServer,
  { now, elapsed }: Clocks,
  timeoutMs = TIMEOUT_MS,
): Promise<ClockReading> {
  const { address, family } = await lookup(host);
  const nonce = randomBytes(8);
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  const { promise, resolve, reject } = Promise.withResolvers<ClockReading>();
  const timer = setTimeout(() => reject(new SntpFault(`does not answer within ${timeoutMs / 1_000} s`)), timeoutMs);
  let sent = { at: 0, elapsed: 0 };
  socket.on("error", () => reject(new SntpFault("cannot be reached")));
  socket.on("message", (packet) => {
    const tookMs = elapsed() - sent.elapsed;
    if (!isAnswerTo(nonce, packet)) return;
    try {
      resolve(readSntpAnswer(packet, { sentAt: sent.at, tookMs }));
    } catch (error) {
      reject(error instanceof Error ? error : new SntpFault(String(error)));
    }
  });
  socket.connect(port, address, () => {
    sent = { at: now(), elapsed: elapsed() };
    socket.send(encodeSntpRequest(nonce));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}
