import { type PublicKey, type Signer, verifySignature } from "@chancery/crypto";
import { encodeHex, equalBytes, utf8 } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import { encodeNote, noteKeyHash, noteKeyRule, type NoteSignature, parseNote } from "@chancery/tlog";
import { z } from "zod";
import { isLogName, type LogName } from "../log-names.ts";

/**
 * What an export is and what it was made from, signed by the keys of the logs it is of. A signed note
 * (c2sp.org/signed-note):
 *
 *     chancery-export/v1
 *     { JSON }
 *
 *     — <host name>/export/<log> <base64 of SHA-256(SPKI)[:4] and the signature>
 *
 * No other signature of these keys can be taken for one, nor it for another: a checkpoint's second line is a decimal
 * and this one's a brace, an entry timestamp is over JSON that begins with a brace, an SCT and an RFC 6962 tree head over
 * bytes that begin with a zero. And the key's name is none that a reader of checkpoints looks for.
 */
const CONTEXT = "chancery-export/v1";

const decimal = z.string().regex(/^(0|[1-9]\d{0,18})$/);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** `bare`: JSON Lines of entries without what is in them. */
export const exportFormat = z.enum(["jsonl", "bare", "csv"]);

export const exportedLog = z.strictObject({
  /** A shard of the v1 log has a name of its own. In the lines all of them are `rekor`. */
  log: z.custom<LogName>((value) => typeof value === "string" && isLogName(value)),
  origin: z.string().min(1),
  size: decimal,
  root: hash,
  /** The signed note that size and root stand in. */
  checkpoint: z.string(),
  /** Of entries: the range that was looked at. Of certificates: the range of which each has its line, but for `missing`. */
  from: decimal.optional(),
  to: decimal.optional(),
  /** CT entries of which the ledger has no row: how many, and the first of them. */
  missing: z.strictObject({ count: decimal, first: z.array(decimal).max(100) }).optional(),
  /**
   * Of certificates: lines that were not held against the CT log, how many, and the serial numbers of the first. All others
   * were: the certificate is the one of an entry of this tree. Absent in manifests of before it was said.
   */
  unheld: z.strictObject({ count: decimal, first: z.array(z.string().regex(/^[0-9a-f]{1,64}$/)).max(100) }).optional(),
  /** Of a shard: the log's index of its first entry, if that is not 0. `size`, `from` and `to` count its own. */
  first: decimal.optional(),
});

const manifestJson = z.strictObject({
  kind: z.enum(["entries", "certificates", "refusals"]),
  format: exportFormat,
  created: z.iso.datetime(),
  filters: z.record(z.string(), z.array(z.string())),
  count: decimal,
  bytes: decimal,
  sha256: hash,
  logs: z.array(exportedLog).min(1),
});

export type ExportedLog = z.infer<typeof exportedLog>;
export type Manifest = z.infer<typeof manifestJson>;

/** The one thing that an export has a log's key for. */
export interface ManifestSigner {
  readonly log: ExportedLog["log"];
  readonly hostname: string;
  readonly signer: Signer;
}

export async function signManifest(manifest: Manifest, signers: readonly ManifestSigner[]): Promise<Uint8Array> {
  const text = `${CONTEXT}\n${JSON.stringify(manifestJson.parse(manifest), null, 2)}\n`;
  const signatures = signers.map(async ({ log, hostname, signer }) => {
    const name = keyName(hostname, log);
    const keyHash = noteKeyHash(noteKeyRule(signer.publicKey), name, signer.publicKey);
    return { name, keyHash, signature: await signer.sign(utf8(text)) };
  });
  return encodeNote(text, await Promise.all(signatures));
}

export interface VerifiedManifest extends Manifest {
  /** For each log the key that signed for it. */
  readonly keys: ReadonlyMap<ExportedLog["log"], PublicKey>;
}

/** Every log it names MUST have signed it with one of the keys. */
export function verifyManifest(note: Uint8Array, keys: readonly PublicKey[]): VerifiedManifest {
  const { text, signatures } = parseNote(note, "manifest");
  const manifest = parseManifest(text);
  const signed = manifest.logs.map(({ log }) => {
    const own = signatures.filter(({ name }) => name.endsWith(`/export/${log}`));
    if (own.length === 0) throw new Unverified(`manifest: is not signed by the log ${log}`);
    const key = keys.find((candidate) => own.some((line) => isBy(line, candidate)));
    if (key === undefined) {
      const hints = own.map(({ keyHash }) => encodeHex(keyHash)).join(", ");
      throw new Unverified(`manifest: is signed for ${log} by another key (SHA-256 of it begins ${hints})`);
    }
    const holds = own.every((line) => isBy(line, key) && verifySignature(key, utf8(text), line.signature));
    if (!holds) throw new Unverified(`manifest: the signature for ${log} does not verify: the manifest was changed`);
    return [log, key] as const;
  });
  return { ...manifest, keys: new Map(signed) };
}

function parseManifest(text: string): Manifest {
  const [context, ...rest] = text.split("\n");
  if (context !== CONTEXT) throw new Malformed(`manifest: does not begin with the line ${CONTEXT}`);
  try {
    return manifestJson.parse(JSON.parse(rest.join("\n")));
  } catch (cause) {
    throw new Malformed("manifest: is not whole, or of another version", { cause });
  }
}

function isBy({ name, keyHash }: NoteSignature, key: PublicKey): boolean {
  return equalBytes(keyHash, noteKeyHash(noteKeyRule(key), name, key));
}

function keyName(hostname: string, log: ExportedLog["log"]): string {
  return `${hostname}/export/${log}`;
}
