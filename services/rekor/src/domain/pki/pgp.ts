import { concatBytes, utf8 } from "@chancery/encoding";
import { Malformed, TooLarge, Unsupported, Unverified } from "@chancery/fault";
import { enums } from "openpgp";
import { VerificationBudget } from "../verification-budget.ts";
import { encodeArmor, isArmored, parseArmor } from "./pgp-armor.ts";
import { maySign, parsePgpKeyRing, type PgpEntity, type PgpIdentity, type PgpKeyRing } from "./pgp-key-ring.ts";
import { type PgpPacket, PgpTag, readPgpPackets } from "./pgp-packet.ts";
import type { PgpKey } from "./pgp-public-key.ts";
import {
  hasExpired,
  isIssuedBy,
  type PgpSignature,
  PgpSignatureType,
  readPgpSignature,
  verifyPgpSignature,
} from "./pgp-signature.ts";
import type { OfferedSignature, Placed, SignatureFormat } from "./signature-format.ts";

/** OpenPGP, RFC 9580: a ring of public keys and detached signatures by any of them, binary or armored. */
export const pgp: SignatureFormat = {
  name: "pgp",
  parseKey: (key) => parsePgpKeyRing(key, new VerificationBudget()),
  async verify({ artifact, signature, key }, budget) {
    const ring = await parsePgpKeyRing(key, budget);
    await verifyDetachedPgp(artifact, signature, ring, budget);
    return { key: ring, signature: canonicalPgpSignature(signature.bytes) };
  },
};

const MAX_SIGNATURE_BYTES = 64 * 1024;
const MAX_SIGNATURES = 10;

/** What is armored stays as it is, comments and all, as upstream. */
export function canonicalPgpSignature(bytes: Uint8Array): Uint8Array {
  return isArmored(bytes) ? bytes : utf8(encodeArmor("SIGNATURE", bytes));
}

/** Every signature in the file MUST hold; upstream looks at the first whose key it finds. */
export async function verifyDetachedPgp(
  artifact: OfferedSignature["artifact"],
  signature: Placed,
  ring: PgpKeyRing,
  budget: VerificationBudget,
): Promise<void> {
  const { bytes, field } = signature;
  if (bytes.length > MAX_SIGNATURE_BYTES) throw new TooLarge(`${field}: longer than ${MAX_SIGNATURE_BYTES} bytes`);
  const binary = isArmored(bytes) ? concatBytes(...parseArmor(bytes, "SIGNATURE", field, 1)) : bytes;
  const packets = readPgpPackets(binary, field, MAX_SIGNATURES);
  if (packets.length === 0) throw new Malformed(`${field}: no signature`);
  for (const packet of packets) {
    await verifyOne(readOffered(packet, field), artifact, ring, field, budget);
  }
}

/** Version 3 has a sentence of its own: old packages carry it, and upstream took it in v1.4.2 and reads it no more in v1.5.4. */
function readOffered(packet: PgpPacket | undefined, field: string): PgpSignature {
  const isSignature = packet?.tag === PgpTag.SIGNATURE;
  if (isSignature && packet.body[0] === 3) {
    throw new Unsupported(
      `${field}: OpenPGP signatures of version 3 are not accepted, sign again with a current gpg or rpmsign`,
    );
  }
  const read = isSignature ? readPgpSignature(packet, field) : undefined;
  if (read === undefined) throw new Malformed(`${field}: not an OpenPGP signature of a known kind`);
  return read;
}

async function verifyOne(
  signature: PgpSignature,
  artifact: Uint8Array,
  ring: PgpKeyRing,
  field: string,
  budget: VerificationBudget,
): Promise<void> {
  if (signature.type !== PgpSignatureType.BINARY && signature.type !== PgpSignatureType.TEXT) {
    throw new Malformed(`${field}: a signature on something else than data`);
  }
  const signer = findSigner(signature, ring);
  if (signer === undefined) throw new Unverified(`${field}: made by no key of the ring that may sign`);
  await verifyPgpSignature(signature, signer.key, { artifact }, field, budget);
  const reason = whyNotValid(signature, signer);
  if (reason !== undefined) throw new Unverified(`${field}: ${reason}`);
}

/** One binary signature by any key of the ring, whatever its flags and revocations say: how RPM packages are verified. */
export async function verifyPackagePgp(
  artifact: Uint8Array,
  signature: Placed,
  ring: PgpKeyRing,
  budget: VerificationBudget,
): Promise<void> {
  const { bytes, field } = signature;
  const [packet] = readPgpPackets(bytes, field, 1);
  const read = readOffered(packet, field);
  if (read.type !== PgpSignatureType.BINARY) throw new Malformed(`${field}: not an OpenPGP signature of a known kind`);
  const keys = ring.entities.flatMap(({ primary, subkeys }) => [primary, ...subkeys.map(({ key }) => key)]);
  const signer = keys.find((key) => isIssuedBy(read, key));
  if (signer === undefined) throw new Unverified(`${field}: made by no key of the ring`);
  await verifyPgpSignature(read, signer, { artifact }, field, budget);
}

interface Signer {
  readonly key: PgpKey;
  readonly entity: PgpEntity;
  /** What says how the key may be used: of a subkey its binding, else the primary user ID's. */
  readonly usage: PgpSignature;
  readonly revocations: readonly PgpSignature[];
  readonly isSubkey: boolean;
}

/** A key without flags may not sign, as upstream: GnuPG has set them since 2004. */
function findSigner(signature: PgpSignature, { entities }: PgpKeyRing): Signer | undefined {
  return entities
    .flatMap(signersOf)
    .find(({ key, usage }) => isIssuedBy(signature, key) && maySign(usage.packet.keyFlags));
}

function signersOf(entity: PgpEntity): Signer[] {
  const usage = primaryIdentity(entity)?.selfSignature;
  const primary = usage && { key: entity.primary, entity, usage, revocations: entity.revocations, isSubkey: false };
  const subkeys = entity.subkeys.map(({ key, binding, revocations }) => {
    return { key, entity, usage: binding, revocations, isSubkey: true };
  });
  return primary === undefined ? subkeys : [primary, ...subkeys];
}

/** The one with the fewest revocations, then the one that says it is, then the newest. */
function primaryIdentity({ identities }: PgpEntity): PgpIdentity | undefined {
  return identities.reduce<PgpIdentity | undefined>((best, each) => (isBetter(best, each) ? each : best), undefined);
}

function isBetter(best: PgpIdentity | undefined, other: PgpIdentity): boolean {
  if (best?.selfSignature === undefined) return true;
  if (best.revocations.length !== other.revocations.length) return best.revocations.length > other.revocations.length;
  if (other.selfSignature === undefined) return false;
  const [bestIs, otherIs] = [best, other].map(({ selfSignature }) => selfSignature?.packet.isPrimaryUserID === true);
  return bestIs === otherIs ? other.selfSignature.created > best.selfSignature.created : otherIs === true;
}

const COMPROMISED = enums.reasonForRevocation.keyCompromised;

/** Judged at the time the signature gives itself, so that it does not fall when the key expires. */
function whyNotValid(signature: PgpSignature, signer: Signer): string | undefined {
  const at = signature.created;
  const { entity, usage, isSubkey } = signer;
  const identity = primaryIdentity(entity);
  if (identity?.selfSignature === undefined) return "the key has no user ID that it certifies";
  const revocations = [entity.revocations, identity.revocations, ...(isSubkey ? [signer.revocations] : [])].flat();
  if (revocations.some((each) => each.packet.reasonForRevocationFlag === COMPROMISED || !hasExpired(each, at))) {
    return "the key was revoked";
  }
  if (keyHasExpired(entity.primary, identity.selfSignature, at)) return "the key had expired";
  if (isSubkey && keyHasExpired(signer.key, usage, at)) return "the subkey had expired";
  if ([signature, identity.selfSignature, ...(isSubkey ? [usage] : [])].some((each) => hasExpired(each, at))) {
    return "the signature, or one that binds its key, had expired or was not made yet";
  }
  return undefined;
}

function keyHasExpired(key: PgpKey, { packet }: PgpSignature, at: number): boolean {
  const lifetime = packet.keyExpirationTime ?? 0;
  return key.created > at || (lifetime !== 0 && at > key.created + lifetime);
}
