import { mkdir, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { sha256 } from "../domain/merkle.ts";
import type { ProvenState } from "../domain/proven-log.ts";
import { replaceFile } from "./durable-file.ts";
import { TileFile } from "./tile-file.ts";

/** What an auditor remembers of one log. */
export interface LogMemory {
  readonly origin: string;
  readonly signer: string;
  /** Base64 of the SPKI. The first that were seen, or those it was told. */
  readonly keys: readonly string[];
  /** Where it was served, if not where its kind is. */
  readonly path?: string | undefined;
  readonly proven: ProvenState;
  /** What follows it was read and is under no proven root yet. */
  readonly staged?: ProvenState | undefined;
  /** The newest checkpoint that was proven. */
  readonly note: string | undefined;
  /** How far other checks have come, each by its name. */
  readonly cursors: Readonly<Record<string, string>>;
}

const MOST_UNPROVEN = 1_000;

/**
 * A folder for each log: `state.json`, `tiles` (hashes of full tiles), `beside`, and `unproven/` with every checkpoint that was seen
 * and is not proven: written before it is judged, so that no crash and no other server makes it forgotten.
 */
export class LogFolder implements AsyncDisposable {
  readonly directory: string;
  readonly tiles: TileFile;
  /** A hash for what stands beside each 256 entries. */
  readonly beside: TileFile;
  #memory: LogMemory | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(directory: string, tiles: TileFile, beside: TileFile, memory: LogMemory | undefined) {
    this.directory = directory;
    this.tiles = tiles;
    this.beside = beside;
    this.#memory = memory;
  }

  static async open(directory: string): Promise<LogFolder> {
    await mkdir(join(directory, "unproven"), { recursive: true, mode: 0o700 });
    const memory = await readMemory(join(directory, "state.json"));
    await using opening = new AsyncDisposableStack();
    const proven = Number((memory?.proven.size ?? 0n) >> 8n);
    const tiles = opening.use(await TileFile.open(join(directory, "tiles"), proven));
    const isStaged = await tiles.holds(Number((memory?.staged?.size ?? 0n) >> 8n));
    const timed = /^\d+/.exec(memory?.cursors["beside"] ?? "0")?.[0] ?? "0";
    const beside = opening.use(await TileFile.open(join(directory, "beside"), Number(BigInt(timed) >> 8n)));
    opening.move();
    return new LogFolder(directory, tiles, beside, isStaged ? memory : memory && { ...memory, staged: undefined });
  }

  get memory(): LogMemory | undefined {
    return this.#memory;
  }

  async remember(memory: Omit<LogMemory, "cursors">): Promise<void> {
    await this.#write({ ...memory, cursors: this.#memory?.cursors ?? {} });
  }

  cursor(name: string): string | undefined {
    return this.#memory?.cursors[name];
  }

  /** How far a check has come. Before anything was proven there is nothing it could have come to. */
  async setCursor(name: string, value: string): Promise<void> {
    if (this.#memory === undefined || this.#memory.cursors[name] === value) return;
    await this.#write({ ...this.#memory, cursors: { ...this.#memory.cursors, [name]: value } });
  }

  async #write(memory: LogMemory): Promise<void> {
    this.#memory = memory;
    const write = this.#writing.then(() => replaceFile(join(this.directory, "state.json"), encode(memory)));
    this.#writing = write.catch(() => {});
    await write;
  }

  /** One after the other: the canary and a look may see the same one at once. */
  async keepUnproven(note: Uint8Array): Promise<void> {
    const keeping = this.#keeping.then(() => this.#keep(note));
    this.#keeping = keeping.catch(() => {});
    await keeping;
  }
  #keeping: Promise<void> = Promise.resolve();

  async #keep(note: Uint8Array): Promise<void> {
    // The first ones show what happened; while that stands, each new checkpoint of a busy log would be one more.
    const name = `${sha256(note).toHex()}.note`;
    const kept = await readdir(join(this.directory, "unproven"));
    if (kept.length < MOST_UNPROVEN) await replaceFile(join(this.directory, "unproven", name), note);
    else if (!kept.includes(name)) this.#dropped++;
  }

  /** So many were not kept since there was room last. */
  get dropped(): number {
    return this.#dropped;
  }
  #dropped = 0;

  async unproven(): Promise<Uint8Array[]> {
    const names = await readdir(join(this.directory, "unproven"));
    const notes = names.filter((name) => name.endsWith(".note"));
    if (names.length < MOST_UNPROVEN) this.#dropped = 0;
    return Promise.all(notes.map((name) => readFile(join(this.directory, "unproven", name))));
  }

  /** Proven now, or kept as evidence. */
  async forgetUnproven(note: Uint8Array): Promise<void> {
    await unlink(join(this.directory, "unproven", `${sha256(note).toHex()}.note`)).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tiles[Symbol.asyncDispose]();
    await this.beside[Symbol.asyncDispose]();
  }
}

function encode({ proven, staged, ...memory }: LogMemory): string {
  const written = { version: 1, ...memory, proven: encodeState(proven), staged: staged && encodeState(staged) };
  return `${JSON.stringify(written)}\n`;
}

function encodeState({ size, edge }: ProvenState): StoredState {
  const encoded = edge.map(({ level, index, hashes }) => ({
    level,
    index: String(index),
    hashes: Buffer.from(hashes).toString("base64"),
  }));
  return { size: String(size), edge: encoded };
}

function decodeState({ size, edge }: StoredState): ProvenState {
  const decoded = edge.map(({ level, index, hashes }) => ({
    level,
    index: BigInt(index),
    hashes: Buffer.from(hashes, "base64"),
  }));
  return { size: BigInt(size), edge: decoded };
}

interface StoredState {
  readonly size: string;
  readonly edge: readonly { readonly level: number; readonly index: string; readonly hashes: string }[];
}

interface StoredMemory extends Omit<LogMemory, "proven" | "staged"> {
  readonly version: number;
  readonly proven: StoredState;
  readonly staged?: StoredState;
}

export async function readMemory(path: string): Promise<LogMemory | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new Misconfigured("auditor.state", `${path} cannot be read`, { cause: error });
  });
  if (text === undefined) return undefined;
  try {
    const { version, proven, staged, ...memory } = JSON.parse(text) as StoredMemory;
    if (version !== 1) throw new TypeError(`version ${version}`);
    return { ...memory, proven: decodeState(proven), staged: staged && decodeState(staged) };
  } catch (cause) {
    throw new Misconfigured("auditor.state", `${path} is not whole`, { cause });
  }
}
