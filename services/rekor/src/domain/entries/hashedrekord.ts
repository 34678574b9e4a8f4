import { defaultHash, HASH_LENGTH, verifyDigestAside } from "@chancery/crypto";
import { decodeHex, encodeBase64, encodeBase64OfText, utf8 } from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import { keySearchTexts } from "../pki/signing-key.ts";
import { parseVerifier } from "../verifier.ts";
import type { EntryKind, ParsedEntry, ProposedEntry } from "./entry-kind.ts";
import { SpecReader } from "./spec-reader.ts";

/**
 * A signature over an artifact of which the log sees only the digest.
 *
 *     { data: { hash: { algorithm, value } }, signature: { content, publicKey: { content } } }
 */
export const hashedrekord: EntryKind = {
  kind: "hashedrekord",
  apiVersions: ["0.0.1"],
  parse,
  // The stored form is the proposed one: it proves itself again.
  isStored: () => false,
};

const ALGORITHMS = ["sha256", "sha384", "sha512"] as const;

async function parse({ apiVersion, kind, spec }: ProposedEntry): Promise<ParsedEntry> {
  const reader = new SpecReader(spec, "spec");
  const signature = reader.object("signature");
  const content = signature.bytes("content");
  const key = signature.object("publicKey");
  const pem = key.textOfBytes("content");
  const hash = reader.object("data").object("hash");
  const algorithm = hash.oneOf("algorithm", ALGORITHMS);
  const value = hash.text("value");
  const digest = decodeHex(value, hash.at("value"));
  if (digest.length !== HASH_LENGTH[algorithm])
    throw new Malformed(`${hash.at("value")}: not of ${algorithm}'s length`);
  // 2^30 spellings of one digest would be as many entries of one signature.
  if (value !== value.toLowerCase() && value !== value.toUpperCase()) {
    throw new Malformed(`${hash.at("value")}: hexadecimal digits in mixed case`);
  }
  reader.end();

  const verifier = parseVerifier(pem, key.at("content"));
  const { publicKey } = verifier;
  // Sigstore's algorithm registry pairs each key with one hash; for Ed25519 it is the one of Ed25519ph.
  if (defaultHash(publicKey.algorithm) !== algorithm) {
    throw new Unsupported(`${hash.at("algorithm")}: entry algorithm ${publicKey.algorithm}/${algorithm} not allowed`);
  }
  if (!(await verifyDigestAside(publicKey, algorithm, digest, content))) {
    throw new Unverified(`${signature.at("content")}: signature does not verify over the digest with this key`);
  }
  // RFC 8785: base64, hexadecimal digits and the names above have nothing to escape, and the members stand in their order.
  // Upstream keeps the digits' case, and .NET writes capitals; lowering it here would give one proposal two UUIDs.
  const body =
    `{"apiVersion":"${apiVersion}","kind":"${kind}","spec":{"data":{"hash":{"algorithm":"${algorithm}","value":"${value}"}},` +
    `"signature":{"content":"${encodeBase64(content)}","publicKey":{"content":"${encodeBase64OfText(verifier.pem)}"}}}}`;
  return {
    body: utf8(body),
    searchTexts: [...keySearchTexts(verifier), `${algorithm}:${value}`],
    signers: [verifier],
    keyAlgorithm: publicKey.algorithm,
    told: { kind, apiVersion, digests: [`${algorithm}:${value.toLowerCase()}`], verifiers: [verifier] },
  };
}
