import { encodeHex, encodePem } from "@chancery/encoding";
import { type PublicKey, spkiHash } from "@chancery/crypto";
import type { PublishedCheckpoint, TransparencyLog } from "@chancery/log";

/** A log of this installation, Rekor's or another's, as it is told of. */
export interface DescribedLog {
  /** `rekor`, `rekor-v2`, `ctlog/<shard>`. */
  readonly name: string;
  readonly log: TransparencyLog;
  readonly publicKey: PublicKey;
  /** As clients name it in bundles and SCTs; the SHA-256 of the key if not given. */
  readonly logId?: Uint8Array;
}

export interface LogDescription {
  readonly name: string;
  readonly origin: string;
  readonly publicKey: string;
  readonly keyId: string;
  readonly logId: string;
  readonly checkpoint: PublishedCheckpoint;
  readonly frozen: boolean;
  readonly readOnly: boolean;
}

export async function describeLog({ name, log, publicKey, logId }: DescribedLog): Promise<LogDescription> {
  const checkpoint = await log.published();
  const { frozen, refusal } = log.state;
  return {
    name,
    origin: log.key.origin,
    publicKey: encodePem("PUBLIC KEY", publicKey.spki),
    keyId: encodeHex(log.key.keyId),
    logId: encodeHex(logId ?? spkiHash(publicKey)),
    checkpoint,
    frozen,
    readOnly: frozen || refusal !== undefined,
  };
}
