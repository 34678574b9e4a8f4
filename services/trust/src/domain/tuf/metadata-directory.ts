/**
 * Where a TUF repository's files are kept. Names are relative and use `/`. One process writes at a time.
 */
export interface MetadataDirectory {
  /** For the operator, who is to know which one is meant. */
  readonly place: string;
  /** All files there are; none when nothing was ever written. */
  names(): Promise<readonly string[]>;
  read(name: string): Promise<Uint8Array | undefined>;
  /**
   * When this resolves the file MUST survive a power failure. Until then a reader MUST find the old file
   * or none, never a part of the new one.
   */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** MUST survive a power failure, like a write. */
  remove(name: string): Promise<void>;
}

/**
 * The highest timestamp version ever given out, kept apart from the directory.
 *
 * A directory that was restored from a backup is perfectly signed and yet older than what clients have
 * seen; they would refuse it as a rollback, and a withdrawn key would be trusted again by new ones. The
 * floor is how we notice first.
 */
export interface VersionFloor {
  readonly place: string;
  /** Zero when nothing was ever given out. */
  read(): Promise<number>;
  /** MUST be durable when it resolves, and MUST NOT go down. */
  raise(version: number): Promise<void>;
}
