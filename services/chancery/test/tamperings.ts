import type { Statement, Tampering } from "./tampered-stack.ts";

/** A uuid whose last octet is another; twice is the same again. */
export const otherKey = (column: string): string =>
  `UPDATE log.search SET ${column} = encode(set_byte(uuid_send(${column}), 15, get_byte(uuid_send(${column}), 15) # 1), 'hex')::uuid WHERE place = $1`;

/** An involution, so that the same statement mends it. */
export const flip = (table: string, column: string, octet: number | string, where: string): string =>
  `UPDATE log.${table} SET ${column} = set_byte(${column}, ${octet}, get_byte(${column}, ${octet}) # 1) WHERE ${where}`;

export function both(where: string, ...change: Statement[]): Tampering {
  return { where, change, back: change };
}

export const point = (serial: Uint8Array, to: bigint | null): Statement => [
  "UPDATE fulcio.certificate SET ct_index = $2 WHERE serial = $1",
  serial,
  to,
];

/** In the first and last tile, at their edges, and between. */
export const PLACES = [0, 1, 100, 200, 254, 255, 256, 257, 280, 290, 299];

export const LOWEST =
  "log = $1 AND level = 0 AND index = $2 / 256 AND start <= $2 % 256 AND start + length(hashes) / 32 > $2 % 256";

export const tileOf = ({ where }: Tampering) => where.slice(0, where.lastIndexOf("/"));

/** One before and one behind, both ways round. */
export const PAIRS = [
  [0, -2],
  [-3, 1],
] as const;
