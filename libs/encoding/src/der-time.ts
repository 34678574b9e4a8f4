import { Tag } from "./der-tag.ts";

/**
 * X.690, Sections 11.7 and 11.8: seconds are written, the zone is Z, a fraction has no trailing zero. Two-digit years
 * are 1950 to 2049 (RFC 5280, Section 4.1.2.5.1). Undefined when the text is another, or names no moment, as 30
 * February.
 */
export function decodeTime(tag: number, content: Uint8Array, fraction: boolean): Date | undefined {
  const text = String.fromCharCode(...content.subarray(0, 64));
  const match = (tag === Tag.UTC_TIME ? UTC_TIME : fraction ? GENERALIZED_TIME_FRACTION : GENERALIZED_TIME).exec(text);
  if (match === null || content.length > 64) return undefined;
  const [, digits = "", fractionDigits = ""] = match;
  const long = tag === Tag.UTC_TIME ? (digits < "50" ? "20" : "19") + digits : digits;
  const at = (from: number, to: number) => Number(long.slice(from, to));
  const [year, month, day] = [at(0, 4), at(4, 6) - 1, at(6, 8)];
  const [hour, minute, second] = [at(8, 10), at(10, 12), at(12, 14)];
  const time = new Date(0);
  time.setUTCFullYear(year, month, day);
  time.setUTCHours(hour, minute, second, Number(fractionDigits.slice(0, 3).padEnd(3, "0")));
  // Date moves 30 February to March and 24:00 to the next day; then it says another moment than it was told.
  const isSame =
    time.getUTCFullYear() === year &&
    time.getUTCMonth() === month &&
    time.getUTCDate() === day &&
    time.getUTCHours() === hour &&
    time.getUTCMinutes() === minute &&
    time.getUTCSeconds() === second;
  return isSame ? time : undefined;
}

const UTC_TIME = /^(\d{12})Z$/;
const GENERALIZED_TIME = /^(\d{14})Z$/;
const GENERALIZED_TIME_FRACTION = /^(\d{14})(?:\.(\d*[1-9]))?Z$/;
