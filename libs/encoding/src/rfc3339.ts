const DAY_SECONDS = 86_400;
const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, "0"));

/** By day, and as many as fit: an entry has three times, and entries that are told together are of few days. */
const dates: { readonly day: number; readonly text: string }[] = [];
const KEPT = 16;

/** RFC 3339 in UTC, to the second that has begun, of milliseconds since the epoch. Throws a RangeError of what is no time. */
export function encodeRfc3339(time: number): string {
  const seconds = Math.floor(time / 1000);
  const day = Math.floor(seconds / DAY_SECONDS);
  const inDay = seconds - day * DAY_SECONDS;
  const minute = Math.floor(inDay / 60);
  return `${dateOf(day)}T${two(Math.floor(minute / 60))}:${two(minute % 60)}:${two(inDay % 60)}Z`;
}

function dateOf(day: number): string {
  const kept = dates[day & (KEPT - 1)];
  if (kept?.day === day) return kept.text;
  const text = new Date(day * DAY_SECONDS * 1000).toISOString().slice(0, -"T00:00:00.000Z".length);
  dates[day & (KEPT - 1)] = { day, text };
  return text;
}

function two(number: number): string {
  return TWO_DIGITS[number] ?? "";
}

const TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;

/** Milliseconds since the epoch of a `date-time` (RFC 3339, Section 5.6); undefined of what is none. A leap second is none here. */
export function parseRfc3339(text: string): number | undefined {
  if (!TIME.test(text) || !isOfCalendar(text)) return undefined;
  const time = Date.parse(text.toUpperCase());
  return Number.isNaN(time) ? undefined : time;
}

/**
 * Whether a text that begins as a date does, YYYY-MM-DD, begins with one that the calendar has, and has no hour 24.
 * `Date.parse` takes the 31st of every month for the next one's first.
 */
export function isOfCalendar(text: string): boolean {
  const [year, month, day] = [text.slice(0, 4), text.slice(5, 7), text.slice(8, 10)].map(Number);
  const date = new Date(Date.parse(`${text.slice(0, 10)}T00:00:00Z`));
  if (date.getUTCFullYear() !== year || date.getUTCMonth() + 1 !== month || date.getUTCDate() !== day) return false;
  return !/^.{10}[Tt ]24/.test(text);
}
