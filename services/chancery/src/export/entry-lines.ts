import { encodeBase64, encodeHex } from "@chancery/encoding";
import type { LoggedEntry } from "@chancery/log";
import { leafHash } from "@chancery/tlog";
import { csvRecord } from "./csv.ts";
import type { Format } from "./source.ts";

/** How the entries of a log are written, and which of them. */
export interface EntryShape {
  lines(entries: readonly LoggedEntry[], format: Format): { readonly text: string; readonly count: number };
}

export const ENTRY_COLUMNS: readonly string[] = [
  "log",
  "logIndex",
  "entryId",
  "time",
  "kind",
  "apiVersion",
  "leafHash",
];

export function entryShape(log: string, entryIdOf: (leafHash: Uint8Array) => string): EntryShape {
  return {
    lines(entries, format) {
      const lines = entries.map((entry) => {
        const json = entryJson(log, entryIdOf, entry);
        if (format === "jsonl") return `${JSON.stringify(json)}\n`;
        const { logIndex, entryId, time, kind, apiVersion, leafHash: hash } = json;
        return csvRecord([log, logIndex, entryId, time, kind, apiVersion, hash]);
      });
      return { text: lines.join(""), count: lines.length };
    },
  };
}

function entryJson(log: string, entryIdOf: (leafHash: Uint8Array) => string, { index, time, leaf }: LoggedEntry) {
  const hash = leafHash(leaf);
  const { kind, apiVersion } = JSON.parse(new TextDecoder().decode(leaf)) as { kind: string; apiVersion: string };
  return {
    log,
    logIndex: String(index),
    entryId: entryIdOf(hash),
    time: `${new Date(time).toISOString().slice(0, 19)}Z`,
    kind,
    apiVersion,
    leafHash: encodeHex(hash),
    body: encodeBase64(leaf),
  };
}
