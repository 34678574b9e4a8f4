import {
  type HashAlgorithm,
  defaultHash,
  parsePublicKey,
  type PublicKey,
  verifySignatureAside,
  verifySignatureP1363,
} from "@chancery/crypto";
import { der, DerReader, parsePem, utf8 } from "@chancery/encoding";
import { InsecureKey, Malformed, Unsupported, Unverified } from "@chancery/fault";
import { OID, parseCertificateRequest } from "@chancery/x509";
import { assertPermitted, type ClientAlgorithm, DEFAULT_CLIENT_ALGORITHMS } from "./client-algorithm.ts";
import { challengeClaim, type Principal } from "./principal.ts";
import { REFUSAL, refusal } from "./refusal.ts";

/** How a client shows that it holds the key it wants certified. */
export type Proof =
  | {
      readonly type: "challenge";
      /** PEM, which may come as text, or the DER of a SubjectPublicKeyInfo. */
      readonly publicKey: Uint8Array | string;
      /** Over the principal's name. */
      readonly signature: Uint8Array;
    }
  | {
      readonly type: "certificate-request";
      readonly pem: Uint8Array;
    };

/** The key the client holds, if such keys may be certified; nothing else of what it sent is used. */
export async function provenKey(
  proof: Proof,
  principal: Principal,
  permitted: readonly ClientAlgorithm[] = DEFAULT_CLIENT_ALGORITHMS,
): Promise<PublicKey> {
  if (proof.type === "challenge") {
    const key = await keyOfChallenge(proof.publicKey, proof.signature, principal);
    assertPermitted(key, keyHash(key), permitted);
    return key;
  }
  const { publicKey, hash } = parseRequest(proof.pem);
  assertPermitted(publicKey, hash, permitted);
  return publicKey;
}

async function keyOfChallenge(
  submitted: Uint8Array | string,
  signature: Uint8Array,
  principal: Principal,
): Promise<PublicKey> {
  const key = parseSubmittedKey(submitted);
  if (signature.length === 0) throw refusal(REFUSAL.signature, new Malformed("none was given"));
  const message = utf8(principal.name);
  if (await verifySignatureAside(key, message, signature)) return key;
  // Browsers and Java sign in the IEEE P1363 form; upstream takes both.
  if (key.algorithm.startsWith("ecdsa") && verifySignatureP1363(key, message, signature)) return key;
  const claim = challengeClaim(principal);
  throw refusal(
    REFUSAL.signature,
    new Unverified(`it is not the key's signature over the text of the token's claim ${claim}`),
  );
}

function parseSubmittedKey(submitted: Uint8Array | string): PublicKey {
  try {
    if (submitted.length === 0) throw new Malformed("none was given");
    const spki = spkiOf(submitted);
    try {
      return parsePublicKey(spki, KEY_FIELD);
    } catch (error) {
      if (isSpki(spki)) throw error;
      throw new Malformed(`${KEY_FIELD}: ${unlikeAKey(submitted)}`, { cause: error });
    }
  } catch (error) {
    throw refusal(error instanceof InsecureKey ? REFUSAL.insecureKey : REFUSAL.publicKey, error);
  }
}

/** As both versions of the API call it. */
const KEY_FIELD = "publicKey.content";
const KEY_LABELS = ["PUBLIC KEY", "RSA PUBLIC KEY"];

/** Whether it is one from outside: then what is wrong with it is for whoever makes keys, and in their words. */
function isSpki(bytes: Uint8Array): boolean {
  try {
    const inside = new DerReader(bytes, KEY_FIELD).sequence();
    inside.sequence().oid();
    inside.bitString();
    return true;
  } catch {
    return false;
  }
}

/** In words for who sent something else than a key. */
function unlikeAKey(submitted: Uint8Array | string): string {
  if (isPem(submitted)) return "what its PEM block holds is not a public key";
  return `is neither a PEM block ${KEY_LABELS.join(" or ")} nor a public key in DER (SubjectPublicKeyInfo)`;
}

const DASH = 0x2d;
const BEGIN = "-----BEGIN ";

function isPem(submitted: Uint8Array | string): boolean {
  if (typeof submitted === "string") return submitted.includes(BEGIN);
  return submitted.includes(DASH) && new TextDecoder("latin1").decode(submitted).includes(BEGIN);
}

function spkiOf(submitted: Uint8Array | string): Uint8Array {
  // Text may be DER, too: that of some Ed25519 keys is ASCII throughout.
  if (!isPem(submitted)) return typeof submitted === "string" ? utf8(submitted) : submitted;
  const text = typeof submitted === "string" ? submitted : asText(submitted);
  const [block] = parsePem(text, KEY_FIELD, { labels: KEY_LABELS, max: 1 });
  if (block === undefined) throw new Malformed(`${KEY_FIELD}: no PEM block`);
  if (block.label === "PUBLIC KEY") return block.der;
  // RFC 8017, Appendix A.1.1: PKCS#1 has no algorithm around the key; RFC 3279, Section 2.3.1, says which it gets.
  return der.sequence(der.sequence(der.oid(OID.rsaEncryption), der.null()), der.bitString(block.der));
}

function parseRequest(pem: Uint8Array): ReturnType<typeof parseCertificateRequest> {
  try {
    const labels = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
    const [block] = parsePem(asText(pem), "certificate signing request", { labels, max: 1 });
    if (block === undefined) throw new Malformed("certificate signing request: no PEM block");
    return parseCertificateRequest(block.der, "certificate signing request");
  } catch (error) {
    if (error instanceof InsecureKey) throw refusal(REFUSAL.insecureKey, error);
    if (error instanceof Unsupported) throw refusal(REFUSAL.signatureAlgorithm, error);
    throw refusal(error instanceof Unverified ? REFUSAL.signature : REFUSAL.certificateRequest, error);
  }
}

/** The hash of a key's own scheme; inside Ed25519 it is SHA-512. */
function keyHash({ algorithm }: PublicKey): HashAlgorithm {
  return algorithm === "ed25519" ? "sha512" : defaultHash(algorithm);
}

function asText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Malformed("not PEM: its bytes are not text", { cause });
  }
}
