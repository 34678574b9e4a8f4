import { Misconfigured } from "@chancery/fault";
import type { TimeRange } from "@sigstore/protobuf-specs";

/**
 * The window in which a key or a service counts. Both ends are inclusive, as every client reads them.
 *
 * The start is not optional: Go clients refuse a log without one, others take it as "since ever".
 */
export interface Validity {
  readonly start: Date;
  readonly end?: Date;
}

export function timeRange(validity: Validity, field: string): TimeRange {
  const { start, end } = validity;
  if (Number.isNaN(start.getTime())) throw new Misconfigured(field, "validFor.start is not a time");
  if (end === undefined) return { start };
  if (!(end.getTime() >= start.getTime())) throw new Misconfigured(field, "validFor.end is before validFor.start");
  return { start, end };
}
