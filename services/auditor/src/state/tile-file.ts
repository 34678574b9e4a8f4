import { readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { HASH_BYTES } from "../domain/merkle.ts";
import type { TileMemory } from "../domain/proven-log.ts";

/** Tile hashes one after the other. What is beyond `count` is not yet proven, and may be written over. */
export class TileFile implements TileMemory, AsyncDisposable {
  readonly #file: FileHandle;
  #count: number;

  private constructor(file: FileHandle, count: number) {
    this.#file = file;
    this.#count = count;
  }

  static async open(path: string, count: number): Promise<TileFile> {
    const file = await open(path, "a+", 0o600).then(async (made) => {
      await made.close();
      return open(path, "r+");
    });
    const { size } = await file.stat();
    if (size < count * HASH_BYTES) {
      await file.close();
      throw new RangeError(`${path} holds ${size / HASH_BYTES} hashes of ${count}`);
    }
    return new TileFile(file, count);
  }

  get count(): number {
    return this.#count;
  }

  async read(first: number, end: number): Promise<Uint8Array> {
    if (end > this.#count) throw new RangeError(`only ${this.#count} tiles are proven`);
    const hashes = new Uint8Array((end - first) * HASH_BYTES);
    // 32 bytes that the system has in memory: a turn of the thread pool would cost thirty times as much.
    readSync(this.#file.fd, hashes, 0, hashes.length, first * HASH_BYTES);
    return hashes;
  }

  async write(first: number, hashes: Uint8Array): Promise<void> {
    if (first < this.#count) throw new RangeError(`${this.#count} tiles are proven already`);
    if (hashes.length === 0) return;
    await this.#file.write(hashes, 0, hashes.length, first * HASH_BYTES);
    await this.#file.datasync();
  }

  accept(count: number): void {
    this.#count = count;
  }

  /** Whether so many are written, proven or not. */
  async holds(count: number): Promise<boolean> {
    const { size } = await this.#file.stat();
    return size >= count * HASH_BYTES;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
