import { createPrivateKey, type KeyObject, randomBytes } from "node:crypto";
import { link, open, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parsePem } from "@chancery/encoding";
import { Fault, Misconfigured } from "@chancery/fault";
import type { KeyAlgorithm } from "./algorithm.ts";
import { plain } from "./sha.ts";
import { generatePrivateKey, type Signer, signerFromKeyObject } from "./signer.ts";
import { verifySignature } from "./verify.ts";

/**
 * Makes a key and its file, PKCS#8 in PEM, readable by its owner alone. A file that is there is never replaced: a log
 * whose key is gone is a log that is gone.
 *
 * The whole key is on disk under another name before link(2) gives it its own, and link fails where a name is taken.
 * So a crash leaves either no key or a whole one (and perhaps a `.tmp` beside it, as private), and of two starters one
 * gets Misconfigured. The promise is kept only after the directory is flushed: before, a power cut could take back a
 * key that has already signed.
 */
export async function createKeyFile(path: string, algorithm: KeyAlgorithm): Promise<Signer> {
  const key = generatePrivateKey(algorithm);
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString("hex")}.tmp`);
  try {
    await writeDurably(temporary, key.export({ type: "pkcs8", format: "pem" }));
    await link(temporary, path);
  } catch (error) {
    throw misconfigured(path, error);
  } finally {
    await rm(temporary, { force: true });
  }
  await flushDirectory(dirname(path));
  return signerFromKeyObject(key, path);
}

/**
 * PKCS#8, or SEC 1 as `openssl ecparam -genkey` writes it, unencrypted. Refused are a file that others can read, one
 * that holds anything else, and a key that {@link parsePublicKey} refuses. Faults name the path and never quote the
 * file.
 */
export async function loadKeyFile(path: string): Promise<Signer> {
  const key = privateKeyOf(path, await readPrivately(path));
  const signer = acceptable(path, key);
  // A PKCS#8 EC key carries its public half, and OpenSSL believes it: a damaged file could sign what no one can verify.
  const probe = new Uint8Array(32);
  if (!verifySignature(signer.publicKey, probe, await signer.sign(probe))) {
    throw new Misconfigured(path, "the private and the public half do not belong together");
  }
  return signer;
}

const LABELS = ["PRIVATE KEY", "EC PRIVATE KEY", "EC PARAMETERS"];

/** Far above an RSA 4096 key, far below what a mistaken path could hold. */
const MAX_BYTES = 64 * 1024;

async function readPrivately(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, "r");
    const { mode, size } = await file.stat();
    // The file that was opened, not the name: nobody can swap it in between.
    if ((mode & 0o077) !== 0 && process.platform !== "win32") {
      throw new Misconfigured(path, "the key file is open to other users; chmod 600 it");
    }
    if (size > MAX_BYTES) throw new Misconfigured(path, "too large to be a key");
    return plain(await file.readFile());
  } catch (error) {
    throw misconfigured(path, error);
  }
}

function privateKeyOf(path: string, text: Uint8Array): KeyObject {
  try {
    const blocks = parsePem(text, path, { labels: LABELS, max: 2 }).filter(({ label }) => label !== "EC PARAMETERS");
    const [block] = blocks;
    if (block === undefined || blocks.length > 1) throw new Misconfigured(path, "not exactly one private key");
    const type = block.label === "PRIVATE KEY" ? "pkcs8" : "sec1";
    return createPrivateKey({ key: Buffer.from(block.der), format: "der", type });
  } catch (error) {
    throw misconfigured(path, error);
  }
}

function acceptable(path: string, key: KeyObject): Signer {
  try {
    return signerFromKeyObject(key, path);
  } catch (error) {
    throw misconfigured(path, error);
  }
}

/** No cause is kept: what OpenSSL or a parser says about a key file is not worth the risk of it being logged. */
function misconfigured(path: string, error: unknown): Misconfigured {
  if (error instanceof Misconfigured) return error;
  if (error instanceof Fault) return new Misconfigured(path, error.message.replace(`${path}: `, ""));
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

async function writeDurably(path: string, text: string | Buffer): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(text);
  await file.sync();
}

async function flushDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}
