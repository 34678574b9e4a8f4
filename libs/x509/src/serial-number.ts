import { Malformed } from "@chancery/fault";

export const SERIAL_BYTES = 20;

/** Drawn at once: 20 bytes from the system cost as much as 4 KiB. */
const SERIALS_A_BLOCK = 200;

/** Serial numbers from a source of randomness that is asked only now and then. They are public, so waiting in memory harms none. */
export function serialNumbers(randomBytes: (count: number) => Uint8Array): () => Uint8Array {
  let block = new Uint8Array();
  return () => {
    if (block.length === 0) block = Uint8Array.from(randomBytes(SERIALS_A_BLOCK * SERIAL_BYTES));
    const random = block.subarray(0, SERIAL_BYTES);
    block = block.subarray(SERIAL_BYTES);
    return serialNumber(random);
  };
}

/**
 * A serial number out of 20 random bytes: positive, so 159 bits of them. RFC 5280, Section 4.1.2.2, allows
 * at most 20 octets, and CAs need 64 random bits against chosen-prefix attacks on the hash.
 */
export function serialNumber(random: Uint8Array): Uint8Array {
  if (random.length !== SERIAL_BYTES) throw new Malformed(`serial number: ${SERIAL_BYTES} random bytes are needed`);
  const serial = new Uint8Array(random);
  serial[0] = (serial[0] ?? 0) & 0x7f;
  // 1 in 2^159, or a random source that is no source.
  if (serial.every((byte) => byte === 0)) throw new Malformed("serial number: random bytes are all zero");
  return serial;
}
