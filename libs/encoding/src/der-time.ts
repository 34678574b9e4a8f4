import { Tag } from "./der-tag.ts";

/**
 * X.690, Sections 11.7 and 11.8: seconds are written, the zone is Z, a fraction has no trailing zero. Two-digit years
 * are 1950 to 2049 (RFC 5280, Section 4.1.2.5.1). Undefined when the text is another, or names no moment, as 30
 * February.
 */
export function decodeTime(tag: number, content: Uint8Array, fraction: boolean): Date | undefined {
  const utc = tag === Tag.UTC_TIME;
  const yearDigits = utc ? 2 : 4;
  const end = yearDigits + 10;
  if (content.length <= end || content.length > 64 || content.at(-1) !== ZULU) return undefined;
  const milliseconds = content.length === end + 1 ? 0 : fraction && !utc ? decodeFraction(content, end) : undefined;
  const year = utc ? fullYear(digits(content, 0, 2)) : digits(content, 0, 4);
  const [month, day] = [digits(content, yearDigits, 2) - 1, digits(content, yearDigits + 2, 2)];
  const hour = digits(content, yearDigits + 4, 2);
  const minute = digits(content, yearDigits + 6, 2);
  const second = digits(content, yearDigits + 8, 2);
  if (milliseconds === undefined || Number.isNaN(year + month + day + hour + minute + second)) return undefined;
  // Date moves 30 February to March and 24:00 to the next day: another moment than it was told.
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const time = new Date(Date.UTC(year, month, day, hour, minute, second, milliseconds));
  // Which takes 0 to 99 for the years from 1900 on.
  if (year < 100) time.setUTCFullYear(year, month, day);
  if (time.getUTCMonth() !== month || time.getUTCDate() !== day) return undefined;
  return time;
}

const ZULU = 0x5a;
const [ZERO, NINE, POINT] = [0x30, 0x39, 0x2e];

/** NaN where one is none. Each certificate has two times: by numbers they take a tenth of what a regular expression did. */
function digits(content: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let next = at; next < at + count; next++) {
    const octet = content[next] ?? 0;
    if (octet < ZERO || octet > NINE) return Number.NaN;
    value = value * 10 + octet - ZERO;
  }
  return value;
}

function fullYear(year: number): number {
  return year < 50 ? 2000 + year : 1900 + year;
}

/** `.` and digits up to the Z, the last of them not 0; to the millisecond. */
function decodeFraction(content: Uint8Array, at: number): number | undefined {
  const end = content.length - 1;
  if (content[at] !== POINT || end === at + 1 || content[end - 1] === ZERO) return undefined;
  if (Number.isNaN(digits(content, at + 1, end - at - 1))) return undefined;
  const shown = Math.min(3, end - at - 1);
  return digits(content, at + 1, shown) * 10 ** (3 - shown);
}
