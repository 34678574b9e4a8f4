import { readFile, stat } from "node:fs/promises";
import { Unavailable } from "@chancery/fault";
import type { UnverifiedToken } from "./identity-token.ts";
import { parseKeySet } from "./key-set.ts";
import { isSignedBy, type KeySet } from "./token-signature.ts";

/** Who knows an issuer's keys. */
export interface TokenKeys {
  /** Whether one of the issuer's keys signed the token. MUST throw Unavailable where that cannot be known now. */
  verify(token: UnverifiedToken): Promise<boolean>;
}

export function inlineKeys(keys: KeySet): TokenKeys {
  return { verify: (token) => isSignedBy(token, keys) };
}

const MAX_FILE_BYTES = 1024 * 1024;
/** Milliseconds. */
const READ_INTERVAL = 1_000;

/** A JWK set in a file, read again when a token finds it a second old. A file that is damaged changes nothing. */
export class KeyFile implements TokenKeys {
  readonly #path: string;
  readonly #clock: () => number;
  #keys: KeySet | undefined;
  #askedAt = -Infinity;
  #reading: Promise<void> | undefined;

  constructor(path: string, clock: () => number = () => performance.now()) {
    this.#path = path;
    this.#clock = clock;
  }

  async verify(token: UnverifiedToken): Promise<boolean> {
    if (this.#clock() - this.#askedAt >= READ_INTERVAL) await this.load().catch(() => undefined);
    if (this.#keys === undefined) throw new Unavailable(`the keys of ${token.issuer} cannot be read`, 1);
    return isSignedBy(token, this.#keys);
  }

  /** Throws what is wrong with the file. */
  async load(): Promise<void> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    await this.#reading;
  }

  async #read(): Promise<void> {
    this.#askedAt = this.#clock();
    const { size } = await stat(this.#path);
    if (size > MAX_FILE_BYTES) throw new Unavailable(`${this.#path} is larger than 1 MiB`, 1);
    this.#keys = parseKeySet(await readFile(this.#path));
  }
}
