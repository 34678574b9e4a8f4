import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import type { TimeServer } from "../src/public/sntp-client.ts";

const EPOCH = 2_208_988_800n;

/** The 64 bits of NTP's timestamp, RFC 4330, Section 3. */
export function ntpTime(milliseconds: number): bigint {
  const seconds = BigInt(Math.floor(milliseconds / 1_000)) + EPOCH;
  const fraction = BigInt(Math.floor(((milliseconds % 1_000) / 1_000) * 2 ** 32));
  return ((seconds & 0xffff_ffffn) << 32n) | fraction;
}

/** What a synchronized server of stratum 2 answers to this request at this time. */
export function ntpAnswer(request: Uint8Array, milliseconds: number): Buffer {
  const packet = Buffer.alloc(48);
  // LI 0, VN 4, Mode 4 (server); poll 6, precision 2^-20.
  packet.set([0x24, 2, 6, 0xec]);
  packet.writeUInt32BE(0x100, 4);
  packet.writeUInt32BE(0x200, 8);
  packet.write("GPS\0", 12, "latin1");
  packet.writeBigUInt64BE(ntpTime(milliseconds), 16);
  packet.set(request.subarray(40, 48), 24);
  packet.writeBigUInt64BE(ntpTime(milliseconds), 32);
  packet.writeBigUInt64BE(ntpTime(milliseconds), 40);
  return packet;
}

/** A mock of a time server: it answers each request with these packets, on loopback. */
export async function startMockTimeServer(answers: (request: Buffer) => readonly Uint8Array[]) {
  const socket = createSocket("udp4");
  const requests: Buffer[] = [];
  socket.on("message", (request: Buffer, { port, address }: RemoteInfo) => {
    requests.push(request);
    for (const answer of answers(request)) socket.send(answer, port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const server: TimeServer = { host: "127.0.0.1", port: socket.address().port };
  return {
    server,
    requests,
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, "close");
    },
  };
}
