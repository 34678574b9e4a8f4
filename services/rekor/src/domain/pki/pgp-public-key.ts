import type { PublicKey } from "@chancery/crypto";
import { equalBytes } from "@chancery/encoding";
import { Malformed, Unsupported } from "@chancery/fault";
import { PublicKeyPacket, PublicSubkeyPacket } from "openpgp";
import { type PgpPacket, PgpTag } from "./pgp-packet.ts";
import { ecdsaPublicKey, ed25519PublicKey, rsaPublicKey } from "./raw-public-key.ts";

/** A key or subkey of a ring, in whatever algorithm. */
export interface PgpKey {
  readonly packet: PublicKeyPacket | PublicSubkeyPacket;
  readonly source: PgpPacket;
  /** Seconds since 1970. */
  readonly created: number;
  readonly keyId: string;
  readonly fingerprint: string;
}

export async function readPgpKey(source: PgpPacket, field: string): Promise<PgpKey> {
  const packet = source.tag === PgpTag.PUBLIC_KEY ? new PublicKeyPacket() : new PublicSubkeyPacket();
  // RFC 9580's version 6 is written by no tool that signs packages yet, and version 3 by none any more.
  if (source.body[0] !== 4) throw new Unsupported(`${field}: OpenPGP keys are accepted in version 4`);
  try {
    await packet.read(source.body);
  } catch (cause) {
    throw new Malformed(`${field}: not an OpenPGP public key of a known kind`, { cause });
  }
  // One spelling: numbers without leading zeros, nothing after them.
  if (!equalBytes(packet.write(), source.body)) throw new Malformed(`${field}: not a canonical OpenPGP public key`);
  return {
    packet,
    source,
    created: Math.floor(packet.created.getTime() / 1000),
    keyId: packet.getKeyID().toHex(),
    fingerprint: packet.getFingerprint(),
  };
}

const RSA = 1;
const RSA_SIGN_ONLY = 3;
const ECDSA = 19;
const EDDSA_LEGACY = 22;
const ED25519 = 27;

/** The key as the one policy for keys judges it; only a key that verifies anything is asked for. */
export function verificationKey({ source }: PgpKey, field: string): PublicKey {
  // Version, four octets of time, algorithm: RFC 9580, Section 5.5.2.2.
  const algorithm = source.body[5];
  const material = source.body.subarray(6);
  switch (algorithm) {
    case RSA:
    case RSA_SIGN_ONLY: {
      const [modulus, rest] = readNumber(material);
      return rsaPublicKey(modulus, readNumber(rest)[0], field);
    }
    case ECDSA: {
      const { curve, point } = readPoint(material);
      return ecdsaPublicKey(CURVES[curve] ?? "", point, field);
    }
    case EDDSA_LEGACY: {
      const { curve, point } = readPoint(material);
      if (curve !== ED25519_LEGACY) throw new Unsupported(`${field}: an EdDSA key that is not Ed25519`);
      return ed25519PublicKey(point.subarray(1), field);
    }
    case ED25519:
      return ed25519PublicKey(material, field);
    default:
      throw new Unsupported(`${field}: OpenPGP keys of algorithm ${algorithm} may not sign here`);
  }
}

/** Object identifiers as RFC 9580, Section 9.2 writes them. */
const ED25519_LEGACY = "2b06010401da470f01";
const CURVES: Readonly<Record<string, string>> = {
  "2a8648ce3d030107": "nistp256",
  "2b81040022": "nistp384",
  "2b81040023": "nistp521",
};

function readPoint(material: Uint8Array): { curve: string; point: Uint8Array } {
  const start = 1 + (material[0] ?? 0);
  return { curve: material.subarray(1, start).toHex(), point: readNumber(material.subarray(start))[0] };
}

/** An MPI, RFC 9580, Section 3.2, and what follows it. */
function readNumber(bytes: Uint8Array): readonly [Uint8Array, Uint8Array] {
  const end = 2 + Math.ceil((((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) / 8);
  return [bytes.subarray(2, end), bytes.subarray(end)];
}
