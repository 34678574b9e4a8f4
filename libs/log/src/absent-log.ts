import { RefusedToSign } from "@chancery/fault";
import type { LogReader, LogWriter, StoredLog } from "./store.ts";

/** Stands for a log that should be in the database and is not: nothing is found, nothing is written. */
export function absentLog(): StoredLog {
  const writer: LogWriter = { tree: refuse, commit: refuse, publish: refuse, freeze: refuse };
  const reader: LogReader = {
    published: async () => undefined,
    entries: async () => [],
    leaves: async () => [],
    tiles: async (tiles) => tiles.map(() => new Uint8Array()),
    findIndex: async () => undefined,
    entriesAt: async () => [],
    search: async () => ({ indexes: [], reached: undefined }),
    names: async () => [],
    unindexed: async () => 0n,
    sizesAt: async (times) => times.map(() => ({ least: 0n, most: 0n })),
  };
  return { writer, reader, unsigned: reader };
}

async function refuse(): Promise<never> {
  throw new RefusedToSign("the log is not in the database");
}
