import { printable } from "./printable.ts";

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["year", 31_556_952],
  ["month", 2_629_746],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/** `2026-11-21 16:47:53 UTC`: one zone for all, so that two people talk about the same moment. */
export function utcTime(time: string | number): string {
  const date = new Date(time);
  // Not a time at all: a stranger's text like any other.
  if (Number.isNaN(date.getTime())) return printable(String(time)).slice(0, 64);
  return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

export function utcDay(time: string | number): string {
  return utcTime(time).slice(0, 10);
}

export function ago(time: string | number, now: number): string {
  const seconds = (new Date(time).getTime() - now) / 1000;
  if (Number.isNaN(seconds)) return "";
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return RELATIVE.format(Math.round(seconds / length), unit);
}

/** `9 min 58 s`, from milliseconds. */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days >= 1) return hours === 0 ? `${days} d` : `${days} d ${hours} h`;
  if (hours >= 1) return minutes === 0 ? `${hours} h` : `${hours} h ${minutes} min`;
  if (minutes >= 1) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

const ORDINAL = new Intl.PluralRules("en", { type: "ordinal" });
const ENDINGS: Readonly<Partial<Record<Intl.LDMLPluralRule, string>>> = { one: "st", two: "nd", few: "rd" };

/** 22 → 22nd. */
export function ordinal(value: number): string {
  return `${grouped(value)}${ENDINGS[ORDINAL.select(value)] ?? "th"}`;
}

/** 1234567 → 1,234,567, also for decimal strings beyond 2^53. */
export function grouped(value: string | number | bigint): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}
