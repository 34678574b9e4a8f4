export { acceptAnchor } from "./accept-anchor.ts";
export { type Anchor, type AnchoredHead, MemoryAnchor } from "./anchor.ts";
export { checkLog, type CheckedLog, type LogCheck } from "./check.ts";
export type { Appended, LoggedEntry, NewEntry, Place, PublishedCheckpoint, TreeHeadSigner } from "./entry.ts";
export { firstEarlier } from "./entry-times.ts";
export type { AnchorStep, Failpoint, FreezeStep, Step } from "./failpoint.ts";
export { type Cut, type CutTable, cutUnsigned } from "./cut-unsigned.ts";
export { freezeAgain } from "./freeze-again.ts";
export { FileAnchor } from "./file-anchor.ts";
export { MissingRows } from "./store.ts";
export { MemoryLogStore } from "./memory-log-store.ts";
export { PostgresLogStore } from "./postgres-log-store.ts";
export { type KeyedEntry, PostgresSearchIndex, type StoredName } from "./postgres-search-index.ts";
export { logSchema } from "./postgres-schema.ts";
export type {
  Addition,
  Integrate,
  LogKey,
  LogReader,
  LogStore,
  LogWriter,
  PartialEntry,
  SizeAt,
  PlacedEntry,
  StoredLog,
  TileName,
  Tree,
  TreeState,
} from "./store.ts";
export type { Lookup } from "./lookup.ts";
export { RecentlyUsed } from "./recently-used.ts";
export {
  type KeySearch,
  type KeysFound,
  MAX_NAME_BYTES,
  distinctKeys,
  SEARCH_COLUMNS,
  type SearchColumn,
  type SearchKey,
  type SearchName,
} from "./search-key.ts";
export { SearchKeys } from "./search-keys.ts";
export { storedLeaf } from "./stored-leaf.ts";
export { tileResource } from "./tile-resource.ts";
export { type LogLimits, type LogOptions, TransparencyLog } from "./transparency-log.ts";
