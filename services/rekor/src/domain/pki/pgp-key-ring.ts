import { concatBytes, utf8 } from "@chancery/encoding";
import { Malformed, TooLarge } from "@chancery/fault";
import type { VerificationBudget } from "../verification-budget.ts";
import { isEmail } from "./email.ts";
import { encodeArmor, isArmored, parseArmor } from "./pgp-armor.ts";
import { type PgpPacket, PgpTag, readPgpPackets, writePgpPacket } from "./pgp-packet.ts";
import { type PgpKey, readPgpKey } from "./pgp-public-key.ts";
import {
  isIssuedBy,
  PgpSignatureType,
  type PgpSignature,
  readPgpSignature,
  verifyPgpSignature,
} from "./pgp-signature.ts";
import type { Placed } from "./signature-format.ts";
import type { SigningKey } from "./signing-key.ts";

/** Public keys, each with what it says of itself: every such signature holds. */
export interface PgpKeyRing extends SigningKey {
  readonly entities: readonly PgpEntity[];
}

export interface PgpEntity {
  readonly primary: PgpKey;
  readonly revocations: readonly PgpSignature[];
  readonly identities: readonly PgpIdentity[];
  readonly subkeys: readonly PgpSubkey[];
}

export interface PgpIdentity {
  readonly userId: PgpPacket;
  /** The newest certification by the key itself. */
  readonly selfSignature: PgpSignature | undefined;
  readonly revocations: readonly PgpSignature[];
  /** All that was said of the user ID, by whomever. */
  readonly signatures: readonly PgpSignature[];
}

export interface PgpSubkey {
  readonly key: PgpKey;
  readonly binding: PgpSignature;
  readonly revocations: readonly PgpSignature[];
}

/** The canonical form is in the entry twice in base64: of a longer ring it could not be logged. */
const MAX_BYTES = 128 * 1024;
const MAX_PACKETS = 256;
const MAX_BLOCKS = 16;
const MAX_ENTITIES = 16;

/**
 * A ring as upstream reads and writes it (ProtonMail/go-crypto): the primary key, its revocations, each user ID that the
 * key certifies with all its certifications, each subkey with its revocations and newest binding. User attributes, trust,
 * signatures on the key alone and what upstream cannot read are left out. What upstream leaves out as a whole
 * because it is damaged is refused here. Where there are several user IDs, upstream writes them in random order: here
 * they keep theirs.
 */
export async function parsePgpKeyRing({ bytes, field }: Placed, budget: VerificationBudget): Promise<PgpKeyRing> {
  if (bytes.length > MAX_BYTES) throw new TooLarge(`${field}: longer than ${MAX_BYTES} bytes`);
  const binaries = isArmored(bytes) ? parseArmor(bytes, "PUBLIC KEY BLOCK", field, MAX_BLOCKS) : [bytes];
  const packets = new PacketQueue(readPgpPackets(concatBytes(...binaries), field, MAX_PACKETS));
  const entities: PgpEntity[] = [];
  while (packets.next() !== undefined) {
    if (entities.length === MAX_ENTITIES) throw new Malformed(`${field}: more than ${MAX_ENTITIES} keys`);
    entities.push(await new EntityReader(packets, field, budget).read());
  }
  if (entities.length === 0) throw new Malformed(`${field}: no public key`);
  return {
    entities,
    canonical: utf8(encodeArmor("PUBLIC KEY BLOCK", concatBytes(...entities.flatMap(packetsOf).map(writePgpPacket)))),
    subjects: entities.flatMap(({ identities }) => identities.flatMap(({ userId }) => emailOf(userId.body))),
  };
}

const sources = (signatures: readonly PgpSignature[]) => signatures.map((signature) => signature.source);

function packetsOf({ primary, revocations, identities, subkeys }: PgpEntity): PgpPacket[] {
  return [
    primary.source,
    ...sources(revocations),
    ...identities.flatMap(({ userId, signatures }) => [userId, ...sources(signatures)]),
    ...subkeys.flatMap(({ key, revocations: own, binding }) => [key.source, ...sources(own), binding.source]),
  ];
}

/** Packets in turn, less those that mean nothing here: markers, trust of whoever's ring it was, types that may be passed over. */
class PacketQueue {
  readonly #packets: readonly PgpPacket[];
  #at = 0;

  constructor(packets: readonly PgpPacket[]) {
    this.#packets = packets.filter(({ tag }) => tag !== PgpTag.MARKER && tag !== PgpTag.TRUST && tag < 40);
  }

  next(): PgpPacket | undefined {
    return this.#packets[this.#at];
  }

  take(): PgpPacket | undefined {
    return this.#packets[this.#at++];
  }
}

class EntityReader {
  readonly #packets: PacketQueue;
  readonly #field: string;
  readonly #budget: VerificationBudget;

  constructor(packets: PacketQueue, field: string, budget: VerificationBudget) {
    this.#packets = packets;
    this.#field = field;
    this.#budget = budget;
  }

  async read(): Promise<PgpEntity> {
    const first = this.#packets.take();
    if (first === undefined || first.tag !== PgpTag.PUBLIC_KEY)
      throw this.#malformed("does not begin with a public key");
    const primary = await readPgpKey(first, this.#field);
    const revocations = this.#takeSignatures().filter(({ type }) => type === PgpSignatureType.KEY_REVOCATION);
    // By the raw ID: of two that are equal upstream keeps the later.
    const identities = new Map<string, PgpIdentity>();
    const subkeys: PgpSubkey[] = [];
    for (
      let next = this.#packets.next();
      next !== undefined && next.tag !== PgpTag.PUBLIC_KEY;
      next = this.#packets.next()
    ) {
      this.#packets.take();
      if (next.tag === PgpTag.USER_ID) {
        const identity = await this.#identity(primary, next);
        if (identity !== undefined) identities.set(next.body.toHex(), identity);
      } else if (next.tag === PgpTag.PUBLIC_SUBKEY) subkeys.push(await this.#subkey(primary, next));
      else if (next.tag === PgpTag.USER_ATTRIBUTE) {
        revocations.push(...this.#takeSignatures().filter(({ type }) => type === PgpSignatureType.KEY_REVOCATION));
      } else throw this.#malformed(`an OpenPGP packet of type ${next.tag} among public keys`);
    }
    if (identities.size === 0) throw this.#malformed("a key without a user ID that it certifies");
    for (const revocation of revocations) await this.#verify(revocation, primary, { key: primary });
    return { primary, revocations, identities: [...identities.values()], subkeys };
  }

  /** Undefined for one that its own key does not vouch for. */
  async #identity(primary: PgpKey, userId: PgpPacket): Promise<PgpIdentity | undefined> {
    const signatures = this.#takeSignatures();
    const revocations: PgpSignature[] = [];
    let selfSignature: PgpSignature | undefined;
    for (const signature of signatures) {
      if (!PgpSignatureType.CERTIFICATIONS.some((type) => type === signature.type)) {
        throw this.#malformed("a signature of another type on a user ID");
      }
      if (!isIssuedBy(signature, primary)) continue;
      await this.#verify(signature, primary, { key: primary, userId: userId.body });
      if (signature.type === PgpSignatureType.CERTIFICATION_REVOCATION) revocations.push(signature);
      else if (selfSignature === undefined || signature.created > selfSignature.created) selfSignature = signature;
    }
    if (selfSignature === undefined && revocations.length === 0) return undefined;
    return { userId, selfSignature, revocations, signatures };
  }

  async #subkey(primary: PgpKey, source: PgpPacket): Promise<PgpSubkey> {
    const key = await readPgpKey(source, this.#field);
    const revocations: PgpSignature[] = [];
    let binding: PgpSignature | undefined;
    for (const signature of this.#takeSignatures()) {
      await this.#verify(signature, primary, { key: primary, subkey: key });
      if (signature.type === PgpSignatureType.SUBKEY_REVOCATION) revocations.push(signature);
      else if (signature.type !== PgpSignatureType.SUBKEY_BINDING) {
        throw this.#malformed("a signature of another type on a subkey");
      } else if (binding === undefined || signature.created > binding.created) binding = signature;
      await this.#verifyCrossSignature(signature, primary, key);
    }
    if (binding === undefined) throw this.#malformed("a subkey that its primary key does not bind");
    return { key, binding, revocations };
  }

  /** "For subkeys that can issue signatures, the subkey binding signature MUST contain an Embedded Signature". RFC 9580, 5.2.1.8. */
  async #verifyCrossSignature({ packet }: PgpSignature, primary: PgpKey, subkey: PgpKey): Promise<void> {
    if (!maySign(packet.keyFlags)) return;
    const body = packet.embeddedSignature?.write();
    const embedded = body && readPgpSignature({ tag: PgpTag.SIGNATURE, body }, this.#field);
    if (embedded?.type !== PgpSignatureType.PRIMARY_KEY_BINDING) {
      throw this.#malformed("a signing subkey that does not bind its primary key");
    }
    await this.#verify(embedded, subkey, { key: primary, subkey });
  }

  #takeSignatures(): PgpSignature[] {
    const signatures: PgpSignature[] = [];
    while (this.#packets.next()?.tag === PgpTag.SIGNATURE) {
      const source = this.#packets.take();
      const signature = source && readPgpSignature(source, this.#field);
      if (signature !== undefined) signatures.push(signature);
    }
    return signatures;
  }

  #verify(signature: PgpSignature, by: PgpKey, signed: Parameters<typeof verifyPgpSignature>[2]): Promise<void> {
    return verifyPgpSignature(signature, by, signed, this.#field, this.#budget);
  }

  #malformed(reason: string): Malformed {
    return new Malformed(`${this.#field}: ${reason}`);
  }
}

/** Key flags, RFC 9580, Section 5.2.3.29. */
export function maySign(flags: ArrayLike<number> | null): boolean {
  return flags !== null && ((flags[0] ?? 0) & 0x02) !== 0;
}

/** `Name (comment) <address>`, or the address alone. */
function emailOf(userId: Uint8Array): string[] {
  const text = new TextDecoder().decode(userId);
  const [, inBrackets] = /^[^<(]*(?:\([^)]*\)[^<]*)?<([^>]*)/.exec(text) ?? [];
  const name = /^[^<(]*/.exec(text)?.[0].trim() ?? "";
  const email = inBrackets?.trim() || (name.includes("@") ? name : "");
  return isEmail(email) ? [email] : [];
}
