import { createPrivateKey, type KeyObject, randomBytes } from "node:crypto";
import { link, open, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { encodePem, parsePem } from "@chancery/encoding";
import { Fault, Misconfigured } from "@chancery/fault";
import type { KeyAlgorithm } from "./algorithm.ts";
import { decryptPrivateKey, encryptPrivateKey } from "./encrypted-key.ts";
import { readPrivately, unreadable } from "./private-file.ts";
import { generatePrivateKey, type Signer, signerFromKeyObject } from "./signer.ts";
import { verifySignature } from "./verify.ts";

/** How a key file is locked beyond its permissions. */
export interface KeyFileLock {
  /** Of PKCS#8's PBES2. Without one the file MUST NOT be encrypted, with one it MUST be. */
  readonly passphrase?: string | undefined;
}

/**
 * Makes a key and its file, PKCS#8 in PEM, readable by its owner alone. A file that is there is never replaced: a log
 * whose key is gone is a log that is gone.
 *
 * The whole key is on disk under another name before link(2) gives it its own, and link fails where a name is taken.
 * So a crash leaves either no key or a whole one (and perhaps a `.tmp` beside it, as private), and of two starters one
 * gets Misconfigured. The promise is kept only after the directory is flushed: before, a power cut could take back a
 * key that has already signed.
 */
export async function createKeyFile(path: string, algorithm: KeyAlgorithm, lock: KeyFileLock = {}): Promise<Signer> {
  const key = generatePrivateKey(algorithm);
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString("hex")}.tmp`);
  try {
    await writeDurably(temporary, await pemOf(key, lock));
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
 * PKCS#8, plain or under PBES2, or SEC 1 as `openssl ecparam -genkey` writes it. Refused are a file that others can
 * read, one that holds anything else, and a key that {@link parsePublicKey} refuses. Faults name the path and never
 * quote the file.
 */
export async function loadKeyFile(path: string, lock: KeyFileLock = {}): Promise<Signer> {
  const key = privateKeyOf(path, await readPrivately(path), lock);
  const signer = acceptable(path, key);
  // A PKCS#8 EC key carries its public half, and OpenSSL believes it: a damaged file could sign what no one can verify.
  const probe = new Uint8Array(32);
  if (!verifySignature(signer.publicKey, probe, await signer.sign(probe))) {
    throw new Misconfigured(path, "the private and the public half do not belong together");
  }
  return signer;
}

const ENCRYPTED = "ENCRYPTED PRIVATE KEY";
const LABELS = ["PRIVATE KEY", "EC PRIVATE KEY", "EC PARAMETERS", ENCRYPTED];

async function pemOf(key: KeyObject, { passphrase }: KeyFileLock): Promise<string> {
  if (passphrase === undefined) return key.export({ type: "pkcs8", format: "pem" });
  return encodePem(ENCRYPTED, await encryptPrivateKey(key, passphrase));
}

function privateKeyOf(path: string, text: Uint8Array, { passphrase }: KeyFileLock): KeyObject {
  try {
    refuseOldEncryption(path, text);
    const blocks = parsePem(text, path, { labels: LABELS, max: 2 }).filter(({ label }) => label !== "EC PARAMETERS");
    const [block] = blocks;
    if (block === undefined || blocks.length > 1) throw new Misconfigured(path, "not exactly one private key");
    if (block.label === ENCRYPTED) return opened(path, block.der, passphrase);
    // Whoever gave one believes that the key is safe in a backup.
    if (passphrase !== undefined) {
      throw new Misconfigured(path, "the key is not encrypted, though a passphrase was given");
    }
    const type = block.label === "PRIVATE KEY" ? "pkcs8" : "sec1";
    return createPrivateKey({ key: Buffer.from(block.der), format: "der", type });
  } catch (error) {
    throw misconfigured(path, error);
  }
}

function opened(path: string, bytes: Uint8Array, passphrase: string | undefined): KeyObject {
  if (passphrase === undefined) throw new Misconfigured(path, "the key is encrypted, and no passphrase was given");
  try {
    return decryptPrivateKey(bytes, passphrase, path);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Misconfigured(path, "the passphrase does not open the key");
  }
}

/** `Proc-Type: 4,ENCRYPTED` of RFC 1421, as `openssl rsa -aes256` writes it: its key is one round of MD5. */
function refuseOldEncryption(path: string, text: Uint8Array): void {
  if (!Buffer.from(text.buffer, text.byteOffset, text.length).includes("\nProc-Type:")) return;
  throw new Misconfigured(path, "encrypted the old way (Proc-Type); `openssl pkcs8 -topk8` writes it anew");
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
  if (error instanceof Fault && !(error instanceof Misconfigured)) {
    return new Misconfigured(path, error.message.replace(`${path}: `, ""));
  }
  return unreadable(path, error);
}

async function writeDurably(path: string, text: string | Buffer): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(text);
  await file.sync();
}

async function flushDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}
