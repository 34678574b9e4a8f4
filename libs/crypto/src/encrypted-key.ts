import { createCipheriv, createPrivateKey, type KeyObject, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { der, DerReader } from "@chancery/encoding";
import { Malformed, Unsupported } from "@chancery/fault";

/*
 * EncryptedPrivateKeyInfo ::= SEQUENCE { encryptionAlgorithm AlgorithmIdentifier, encryptedData OCTET STRING }
 * PBES2-params ::= SEQUENCE { keyDerivationFunc AlgorithmIdentifier, encryptionScheme AlgorithmIdentifier }
 * PBKDF2-params ::= SEQUENCE { salt OCTET STRING, iterationCount INTEGER, keyLength INTEGER OPTIONAL,
 *   prf AlgorithmIdentifier DEFAULT hmacWithSHA1 }
 *
 * RFC 5958, Section 3; RFC 8018, Appendix A.
 */

const OID = {
  pbes2: "1.2.840.113549.1.5.13",
  pbkdf2: "1.2.840.113549.1.5.12",
  scrypt: "1.3.6.1.4.1.11591.4.11",
  hmacWithSha256: "1.2.840.113549.2.9",
  aes256Cbc: "2.16.840.1.101.3.4.1.42",
} as const;

/** AES-128, -192 and -256 in CBC: what openssl, step and Go write. */
const CIPHERS: ReadonlySet<string> = new Set(["2.16.840.1.101.3.4.1.2", "2.16.840.1.101.3.4.1.22", OID.aes256Cbc]);

/** About five seconds; without a bound a file could keep a start waiting for days. */
const MAX_ITERATIONS = 10_000_000n;

/** OWASP's figure of 2023 for PBKDF2 with HMAC-SHA-256; openssl's own default is 2,048. */
const ITERATIONS = 600_000;
const [SALT_BYTES, KEY_BYTES, BLOCK_BYTES] = [16, 32, 16];

/**
 * Opens a key under PBES2. The older schemes are refused by name: PBES1 and PKCS #12's derive DES and RC2 keys with MD5
 * or SHA-1. Throws Malformed or Unsupported for what the file says, and OpenSSL's error for a wrong passphrase.
 */
export function decryptPrivateKey(bytes: Uint8Array, passphrase: string, field: string): KeyObject {
  refuseWeak(bytes, field);
  return createPrivateKey({ key: Buffer.from(bytes), format: "der", type: "pkcs8", passphrase });
}

/** PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC, which every tool reads. */
export async function encryptPrivateKey(key: KeyObject, passphrase: string): Promise<Uint8Array> {
  const [salt, iv] = [randomBytes(SALT_BYTES), randomBytes(BLOCK_BYTES)];
  const derived = await promisify(pbkdf2)(passphrase, salt, ITERATIONS, KEY_BYTES, "sha256");
  const cipher = createCipheriv("aes-256-cbc", derived, iv);
  const encrypted = Buffer.concat([cipher.update(key.export({ type: "pkcs8", format: "der" })), cipher.final()]);
  const prf = der.sequence(der.oid(OID.hmacWithSha256), der.null());
  const derivation = der.sequence(
    der.oid(OID.pbkdf2),
    der.sequence(der.octetString(salt), der.integer(ITERATIONS), prf),
  );
  const scheme = der.sequence(der.oid(OID.aes256Cbc), der.octetString(iv));
  return der.sequence(
    der.sequence(der.oid(OID.pbes2), der.sequence(derivation, scheme)),
    der.octetString(Uint8Array.from(encrypted)),
  );
}

function refuseWeak(bytes: Uint8Array, field: string): void {
  const outer = new DerReader(bytes, field);
  const fields = outer.sequence();
  outer.end();
  const algorithm = fields.sequence();
  fields.octetString();
  fields.end();
  const name = algorithm.oid();
  if (name !== OID.pbes2) {
    throw new Unsupported(`${field}: encrypted by an old scheme (${name}); \`openssl pkcs8 -topk8\` writes it anew`);
  }
  const parameters = algorithm.sequence();
  algorithm.end();
  boundWork(parameters.sequence(), field);
  const cipher = parameters.sequence().oid();
  if (!CIPHERS.has(cipher)) throw new Unsupported(`${field}: encrypted by cipher ${cipher}, which is not AES in CBC`);
  parameters.end();
}

/** Of scrypt OpenSSL itself bounds the memory, and by that the work. */
function boundWork(derivation: DerReader, field: string): void {
  const name = derivation.oid();
  if (name === OID.scrypt) return;
  if (name !== OID.pbkdf2) throw new Unsupported(`${field}: key derivation ${name} is neither PBKDF2 nor scrypt`);
  const parameters = derivation.sequence();
  parameters.octetString();
  const iterations = parameters.integer();
  if (iterations < 1n || iterations > MAX_ITERATIONS) {
    throw new Malformed(`${field}: ${iterations} iterations of PBKDF2, where at most ${MAX_ITERATIONS} are accepted`);
  }
}
