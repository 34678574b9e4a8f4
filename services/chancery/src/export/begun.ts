import { counted } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { z } from "zod";
import { exportedLog, exportFormat } from "./manifest.ts";

/** What an export was begun with: all that a later process needs to write the same lines. */
const begunJson = z.strictObject({
  kind: z.enum(["entries", "certificates", "refusals"]),
  format: exportFormat,
  created: z.iso.datetime(),
  /** By name, as they were given and as the manifest tells them. */
  filters: z.record(z.string(), z.array(z.string())),
  logs: z.array(exportedLog).min(1),
  /** Milliseconds since the epoch, of a ledger. */
  range: z.strictObject({ from: z.number(), to: z.number() }),
});

export type Begun = z.infer<typeof begunJson>;
export type Kind = Begun["kind"];

const ONE: Readonly<Record<Kind, string>> = { entries: "entry", certificates: "certificate", refusals: "refusal" };

/** "1 refusal", "12,408 entries" */
export function countedLines(count: number, kind: Kind): string {
  return counted(count.toLocaleString("en"), ONE[kind], kind);
}

export function parseBegun(value: unknown): Begun {
  const parsed = begunJson.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Misconfigured("--resume", "what was begun there was begun by another version; take it away and begin anew");
}
