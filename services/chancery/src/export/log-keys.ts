import { createPublicKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { loadKeyFile, type PublicKey, publicKeyFromKeyObject } from "@chancery/crypto";
import { encodeHex, equalBytes } from "@chancery/encoding";
import { Misconfigured, Unverified } from "@chancery/fault";
import { verifyCheckpoint, verifyTreeHead, type TreeHead } from "@chancery/tlog";
import { isRekorShard, type LogName } from "../log-names.ts";
import type { ExportedLog, ManifestSigner } from "./manifest.ts";

const fileOf = (data: string, log: LogName) => join(data, "keys", `${log}.pem`);

/** The public half of a log's key in an installation: before anything is read it is known that it can be signed for. */
export async function publicKeyIn(data: string, log: LogName): Promise<PublicKey> {
  const path = fileOf(data, log);
  try {
    return publicKeyFromKeyObject(createPublicKey(await readFile(path)), path);
  } catch (cause) {
    throw new Misconfigured("--data", `${path} cannot be read; it holds the key of ${log}`, { cause });
  }
}

/**
 * The key itself, for one signature. It is opened when the last line is on disk: nothing that strangers wrote is read in
 * this process any more.
 */
export async function manifestSigner(
  data: string,
  log: LogName,
  hostname: string,
  expected: PublicKey,
): Promise<ManifestSigner> {
  const signer = await loadKeyFile(fileOf(data, log));
  if (!equalBytes(signer.publicKey.spki, expected.spki)) {
    throw new Misconfigured(fileOf(data, log), "is another key than when the export began");
  }
  return { log, hostname, signer };
}

/** Throws unless the checkpoint is signed by the log's key, and says what the manifest says. */
export function verifyExportedHead(
  { log, origin, checkpoint }: Pick<ExportedLog, "log" | "origin" | "checkpoint">,
  key: PublicKey,
): TreeHead {
  const note = new TextEncoder().encode(checkpoint);
  // Rekor v1 signs under its host name, which is not the whole of its origin.
  const name = isRekorShard(log) ? (origin.split(" - ", 1)[0] ?? origin) : origin;
  return log === "ctlog" ? verifyTreeHead(note, origin, key) : verifyCheckpoint(note, origin, key, name);
}

/** As it is told: the tree is the one that its checkpoint, signed by the log's key, is of. */
export function checkExportedHead(log: ExportedLog, key: PublicKey): void {
  const { size, root } = verifyExportedHead(log, key);
  if (String(size) === log.size && encodeHex(root) === log.root) return;
  throw new Unverified(`manifest: says another tree of ${log.log} than the checkpoint in it`);
}
