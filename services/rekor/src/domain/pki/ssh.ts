import { sha256, sha512, verifySignature, verifySignatureP1363 } from "@chancery/crypto";
import { concatBytes, encodePem, equalBytes, parsePem, utf8 } from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import { p1363Signature } from "./raw-public-key.ts";
import type { Placed, SignatureFormat } from "./signature-format.ts";
import { parseSshKey, type SshKey } from "./ssh-key.ts";
import { SshReader, sshString } from "./ssh-wire.ts";

/**
 * `ssh-keygen -Y sign -n file`, OpenSSH's PROTOCOL.sshsig:
 *
 *     byte[6] "SSHSIG"   uint32 version   string publickey   string namespace
 *     string reserved    string hash_algorithm   string signature
 *
 * Upstream writes what it logs with an empty `reserved` and SHA-512, and verifies what it wrote: nothing else is ever
 * accepted.
 */
export const ssh: SignatureFormat = {
  name: "ssh",
  parseKey: (key) => parseSshKey(key),
  verify({ artifact, signature, key }, budget) {
    const signer = parseSshKey(key);
    const { publicKey, inner } = parseSignature(signature);
    // Upstream does not look: one signature could then be logged with any key inside.
    if (!equalBytes(publicKey, signer.blob)) throw new Unverified(`${signature.field}: made by another key`);
    budget.spend(signer.publicKey, key.field);
    const message = concatBytes(MAGIC, ...[NAMESPACE, "", HASH, sha512(artifact)].map(sshString));
    if (!verifyInner(signer, message, new SshReader(inner, signature.field))) {
      throw new Unverified(`${signature.field}: signature does not verify over the data with this key`);
    }
    const wrapped = [signer.blob, NAMESPACE, "", HASH, inner].map(sshString);
    return { key: signer, signature: utf8(encodePem(LABEL, concatBytes(MAGIC, VERSION, ...wrapped))) };
  },
};

const LABEL = "SSH SIGNATURE";
const MAGIC = utf8("SSHSIG");
const VERSION = Uint8Array.of(0, 0, 0, 1);
const NAMESPACE = "file";
const HASH = "sha512";
const MAX_ARMORED = 64 * 1024;

function parseSignature({ bytes, field }: Placed): { publicKey: Uint8Array; inner: Uint8Array } {
  if (bytes.length > MAX_ARMORED) throw new Malformed(`${field}: longer than ${MAX_ARMORED} bytes`);
  const [block] = parsePem(bytes, field, { labels: [LABEL], max: 1 });
  const reader = new SshReader(block?.der ?? new Uint8Array(), field);
  if (!equalBytes(reader.take(6), MAGIC)) throw new Malformed(`${field}: not an SSH signature`);
  if (reader.uint32() !== 1) throw new Unsupported(`${field}: not version 1 of SSH signatures`);
  const publicKey = reader.string();
  if (reader.text() !== NAMESPACE) throw new Unsupported(`${field}: the namespace is not "${NAMESPACE}"`);
  if (reader.string().length > 0) throw new Unsupported(`${field}: something in the reserved field`);
  if (reader.text() !== HASH) throw new Unsupported(`${field}: the hash algorithm is not ${HASH}`);
  const inner = reader.string();
  reader.end();
  return { publicKey, inner };
}

/** `string format, string blob`, and for a FIDO key `byte flags, uint32 counter` (OpenSSH's PROTOCOL.u2f). */
function verifyInner(key: SshKey, message: Uint8Array, reader: SshReader): boolean {
  const format = reader.text();
  const blob = reader.string();
  const flagsAndCounter = key.application === undefined ? undefined : reader.take(5);
  reader.end();
  const signed =
    flagsAndCounter === undefined
      ? message
      : concatBytes(sha256(utf8(key.application ?? "")), flagsAndCounter, sha256(message));
  if (key.type === "ssh-rsa") {
    // "ssh-rsa" itself signs SHA-1, which PROTOCOL.sshsig forbids.
    if (format !== "rsa-sha2-512" && format !== "rsa-sha2-256") return false;
    return verifySignature(key.publicKey, signed, blob, format === "rsa-sha2-512" ? "sha512" : "sha256");
  }
  if (format !== key.type) return false;
  return key.publicKey.algorithm === "ed25519"
    ? verifySignature(key.publicKey, signed, blob)
    : verifyEcdsa(key, signed, blob);
}

const WIDTHS: Readonly<Record<string, number>> = { "ecdsa-p256": 32, "ecdsa-p384": 48, "ecdsa-p521": 66 };

/** `mpint r, mpint s`, RFC 5656, Section 3.1.2. */
function verifyEcdsa(key: SshKey, message: Uint8Array, blob: Uint8Array): boolean {
  const reader = new SshReader(blob, "signature");
  const pair = [reader.magnitude(), reader.magnitude()] as const;
  reader.end();
  const signature = p1363Signature(...pair, WIDTHS[key.publicKey.algorithm] ?? 0);
  return signature !== undefined && verifySignatureP1363(key.publicKey, message, signature);
}
