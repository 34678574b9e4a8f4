import type { ExportedLog, Manifest } from "./manifest.ts";

export type Format = Manifest["format"];

/** What a state file can hold. */
export type Position = Readonly<Record<string, string | number | readonly string[]>>;

/** Some lines of an export, and where the next ones begin. */
export interface Lines {
  /** UTF-8. */
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly position: Position;
  /** Of the source's `total`. */
  readonly done: bigint;
}

/** What is exported, held fast when the export began: read from any place on, it gives the same lines. */
export interface Source {
  /** What a file begins with, before its first line. */
  readonly head: string;
  readonly total: bigint;
  /** What `total` counts. */
  readonly step: string;
  readonly logs: readonly ExportedLog[];
  lines(after: Position | undefined): AsyncIterable<Lines>;
}
