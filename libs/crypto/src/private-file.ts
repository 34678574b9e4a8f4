import { open } from "node:fs/promises";
import { Misconfigured } from "@chancery/fault";
import { plain } from "./sha.ts";

/** Far above an RSA 4096 key, far below what a mistaken path could hold. */
const MAX_BYTES = 64 * 1024;

/** OpenSSL's own bound for the passphrase of a PEM file. */
const MAX_PASSPHRASE_BYTES = 1024;

/** The bytes of a small file that its owner alone can read; any other is refused by its path. */
export async function readPrivately(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, "r");
    const { mode, size } = await file.stat();
    // The file that was opened, not the name: nobody can swap it in between.
    if ((mode & 0o077) !== 0 && process.platform !== "win32") {
      throw new Misconfigured(path, "the file is open to other users; chmod 600 it");
    }
    if (size > MAX_BYTES) throw new Misconfigured(path, "too large to be a key");
    return plain(await file.readFile());
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** A passphrase as editors and `echo` leave it, with one line end; the rest counts, blanks too. */
export async function readPassphraseFile(path: string): Promise<string> {
  const bytes = await readPrivately(path);
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, "");
  if (text === "") throw new Misconfigured(path, "the passphrase is empty");
  if (bytes.length > MAX_PASSPHRASE_BYTES) throw new Misconfigured(path, "too long to be a passphrase");
  if (/[\r\n]/.test(text)) throw new Misconfigured(path, "more than one line, where a passphrase is expected");
  return text;
}

/** What the system said of a path, in plain words, without what stood in the file. */
export function unreadable(path: string, error: unknown): Misconfigured {
  if (error instanceof Misconfigured) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return new Misconfigured(path, REASONS.get(code) ?? `not a usable private key${code === "" ? "" : ` (${code})`}`);
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such file or directory"],
  ["EACCES", "this process may not read or write there"],
  ["EEXIST", "there is a key already, and it is never replaced"],
  ["EISDIR", "a directory, not a key file"],
  ["ENOSPC", "the disk is full"],
  ["EPERM", "the file system refused (it needs hard links)"],
  ["EROFS", "the file system is read-only"],
]);
