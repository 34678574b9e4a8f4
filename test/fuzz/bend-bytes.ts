import { gunzipSync, gzipSync } from "node:zlib";
import type { Chance } from "./chance.ts";

const INTERESTING = [0, 1, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0x88, 0xff, 0x30, 0x31, 0x02, 0x03, 0x04, 0x05, 0x06];

type Bend = (bytes: Buffer, chance: Chance) => Uint8Array;

const flip: Bend = (bytes, chance) =>
  changed(bytes, (copy, at) => (copy[at] = (copy[at] ?? 0) ^ (1 << chance.below(8))), chance);
const set: Bend = (bytes, chance) => changed(bytes, (copy, at) => (copy[at] = chance.pick(INTERESTING)), chance);
const cut: Bend = (bytes, chance) => bytes.subarray(0, chance.below(bytes.length + 1));
const behead: Bend = (bytes, chance) => bytes.subarray(chance.below(bytes.length + 1));
const remove: Bend = (bytes, chance) => {
  const [from, length] = [chance.below(bytes.length + 1), 1 + chance.below(16)];
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + length)]);
};
const insert: Bend = (bytes, chance) => {
  const at = chance.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), chance.bytes(1 + chance.below(16)), bytes.subarray(at)]);
};
const repeat: Bend = (bytes, chance) => {
  const [from, length] = [chance.below(bytes.length + 1), 1 + chance.below(64)];
  const piece = bytes.subarray(from, from + length);
  const times = 1 + chance.below(chance.in(0.05) ? 4_000 : 20);
  return Buffer.concat([bytes.subarray(0, from), ...Array.from({ length: times }, () => piece), bytes.subarray(from)]);
};
/** A length of DER, or of any other format, that says more than is there. */
const inflate: Bend = (bytes, chance) =>
  changed(bytes, (copy, at) => chance.bytes(4).copy(copy, at, 0, Math.min(4, copy.length - at)), chance);
const twice: Bend = (bytes) => Buffer.concat([bytes, bytes]);
const nothing: Bend = () => Buffer.alloc(0);

const BENDS: readonly Bend[] = [
  flip,
  flip,
  flip,
  set,
  set,
  cut,
  behead,
  remove,
  insert,
  repeat,
  inflate,
  twice,
  nothing,
];

/** Other bytes, not far from these. What is gzip is sometimes bent inside, where a checksum would hide the rest. */
export function bendBytes(bytes: Buffer, chance: Chance): Buffer {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b && chance.in(0.5)) return bendInside(bytes, chance);
  let bent = bytes;
  for (let times = chance.in(0.7) ? 1 : 1 + chance.below(5); times > 0; times--) {
    bent = Buffer.from(chance.pick(BENDS)(bent, chance));
  }
  return bent;
}

/** Ten thousand to one: 40 MB of the same byte in 40 kB. */
const BOMB = gzipSync(Buffer.alloc(40 * 1024 * 1024));

function bendInside(bytes: Buffer, chance: Chance): Buffer {
  if (chance.in(0.02)) return chance.in(0.5) ? BOMB : Buffer.concat([bytes, BOMB]);
  try {
    return gzipSync(bendBytes(gunzipSync(bytes, { maxOutputLength: 2 ** 24 }), chance));
  } catch {
    return bytes;
  }
}

function changed(bytes: Buffer, change: (copy: Buffer, at: number) => unknown, chance: Chance): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length > 0) change(copy, chance.below(copy.length));
  return copy;
}
