/** An answer of a time server that tells no time. */
export class SntpFault extends Error {
  override readonly name = "SntpFault";
  /** Of a kiss-o'-death packet: DENY, RSTR, RATE and others. */
  readonly kiss: string | undefined;

  constructor(why: string, kiss?: string) {
    super(why);
    this.kiss = kiss;
  }
}

/** A clock beside ours: ours plus `offsetMs` is its, give or take `doubtMs`. */
export interface ClockReading {
  readonly offsetMs: number;
  readonly doubtMs: number;
}

/** By our clock, milliseconds since 1970; what is between them is counted by a clock that nobody sets. */
export interface Exchange {
  readonly sentAt: number;
  readonly tookMs: number;
}

const PACKET_BYTES = 48;
const TRANSMIT = 40;
/** LI 0, VN 4, Mode 3 (client). */
const CLIENT = 0x23;
const SERVER_MODE = 4;
/** Seconds from 1900 to 1970. */
const EPOCH = 2_208_988_800;
const ERA_MS = 2 ** 32 * 1_000;
/** "a server that is synchronized has both below one second", RFC 4330, Section 5. */
const ROOT_BOUND = 0x10000;

/**
 * The request of RFC 4330, Section 5: zero but for the first octet and the transmit timestamp. `nonce` stands there instead
 * of our time: the server only copies it, and who cannot see the request cannot answer it.
 */
export function encodeSntpRequest(nonce: Uint8Array): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(PACKET_BYTES);
  packet[0] = CLIENT;
  packet.set(nonce.subarray(0, 8), TRANSMIT);
  return packet;
}

/** Whether it answers the request with this nonce: anything else is somebody else's, and is not looked at further. */
export function isAnswerTo(nonce: Uint8Array, packet: Uint8Array): boolean {
  return packet.length >= PACKET_BYTES && Buffer.compare(packet.subarray(24, 32), nonce.subarray(0, 8)) === 0;
}

/** RFC 4330, Section 5, the sanity checks and then the offset. Throws SntpFault. */
export function readSntpAnswer(packet: Uint8Array, { sentAt, tookMs }: Exchange): ClockReading {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const first = view.getUint8(0);
  const [leap, version, mode, stratum] = [first >> 6, (first >> 3) & 7, first & 7, view.getUint8(1)];
  if (mode !== SERVER_MODE) throw new SntpFault(`answers in mode ${mode}`);
  if (version < 1 || version > 4) throw new SntpFault(`answers in version ${version}`);
  if (stratum === 0) throw kissOfDeath(packet.subarray(12, 16));
  if (stratum > 15 || leap === 3) throw new SntpFault("is not synchronized itself");
  if (view.getUint32(4) >= ROOT_BOUND || view.getUint32(8) >= ROOT_BOUND) {
    throw new SntpFault("is a second or more away from its own reference");
  }
  if (view.getBigUint64(TRANSMIT) === 0n) throw new SntpFault("tells no time");
  const received = offsetFrom(sentAt, view, 32);
  const transmitted = offsetFrom(sentAt, view, TRANSMIT);
  const heldMs = transmitted - received;
  if (heldMs < 0 || heldMs > tookMs + 1) throw new SntpFault("says it took longer than the answer did");
  // ((T2 - T1) + (T3 - T4)) / 2, where T4 = T1 + tookMs; the way there and back may have been of any two lengths.
  return { offsetMs: (received + transmitted - tookMs) / 2, doubtMs: (tookMs - heldMs) / 2 };
}

/** Of a timestamp from `milliseconds`, in the era that is nearest: the 32 bits of seconds begin anew in 2036. */
function offsetFrom(milliseconds: number, view: DataView, at: number): number {
  const since1900 = view.getUint32(at) * 1_000 + (view.getUint32(at + 4) / 2 ** 32) * 1_000;
  const difference = (since1900 - EPOCH * 1_000 - milliseconds) % ERA_MS;
  if (difference > ERA_MS / 2) return difference - ERA_MS;
  return difference < -ERA_MS / 2 ? difference + ERA_MS : difference;
}

function kissOfDeath(code: Uint8Array): SntpFault {
  const text = Buffer.from(code).toString("latin1");
  const kiss = /^[A-Z]{4}$/.test(text) ? text : "????";
  return new SntpFault(`asks not to be asked (${kiss})`, kiss);
}
