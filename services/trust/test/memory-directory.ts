import type { MetadataDirectory, VersionFloor } from "../src/index.ts";

/** A directory that can lose power: after `powerFor` more writes or removals, all fail until it is back. */
export class MemoryDirectory implements MetadataDirectory {
  readonly place = "memory";
  readonly files = new Map<string, Uint8Array>();
  readonly written: string[] = [];
  powerFor = Infinity;

  names(): Promise<readonly string[]> {
    return Promise.resolve([...this.files.keys()]);
  }

  read(name: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.files.get(name));
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    this.#spend();
    this.written.push(name);
    this.files.set(name, bytes);
  }

  async remove(name: string): Promise<void> {
    this.#spend();
    this.files.delete(name);
  }

  #spend(): void {
    if (this.powerFor <= 0) throw new Error("no power");
    this.powerFor -= 1;
  }

  copy(): MemoryDirectory {
    const copy = new MemoryDirectory();
    for (const [name, bytes] of this.files) copy.files.set(name, bytes);
    return copy;
  }
}

export class MemoryFloor implements VersionFloor {
  readonly place = "memory";
  version = 0;

  read(): Promise<number> {
    return Promise.resolve(this.version);
  }

  async raise(version: number): Promise<void> {
    this.version = Math.max(version, this.version);
  }
}
