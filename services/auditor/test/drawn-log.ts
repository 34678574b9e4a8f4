import { createHash, createPublicKey } from "node:crypto";
import { ephemeralSigner, type Signer } from "@chancery/crypto";
import { signCheckpoint } from "@chancery/tlog";
import type { AuditedLog, ServedLog } from "../src/public/served-log.ts";

const sha256 = (...parts: Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** MTH exactly as RFC 6962, Section 2.1 writes it. */
export function mth(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha256();
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined) return sha256(Uint8Array.of(0), only);
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return sha256(Uint8Array.of(1), mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}

/** A log in memory, by the definitions, whose every part a test may exchange. */
export class DrawnLog {
  leaves: Uint8Array[];
  readonly signer: Signer;
  readonly log: AuditedLog;
  /** What is served for a tile instead of the truth. */
  lie: (level: number, index: bigint, truth: Uint8Array | undefined) => Uint8Array | undefined = (_l, _i, truth) =>
    truth;
  note: Uint8Array = new Uint8Array();
  isDown = false;
  isFrozen = false;

  constructor(leaves: readonly string[], signer = ephemeralSigner("ecdsa-p256"), tree = 7) {
    this.leaves = leaves.map((leaf) => Buffer.from(leaf));
    this.signer = signer;
    const key = createPublicKey(signer.publicKey.keyObject.export({ type: "spki", format: "pem" }));
    const identity = {
      origin: `drawn.example - ${tree}`,
      signer: "drawn.example",
      signs: "text" as const,
      keys: [key],
    };
    this.log = { name: "rekor", kind: "rekor", identity };
  }

  static named(count: number, mark = "", from = 0): string[] {
    return Array.from({ length: count }, (_, at) => `entry ${at + from}${mark}`);
  }

  async sign(size = this.leaves.length): Promise<Uint8Array> {
    const head = { size: BigInt(size), root: mth(this.leaves.slice(0, size)) };
    const { origin, signer } = this.log.identity;
    return signCheckpoint({ origin, ...head, extensions: [] }, signer, this.signer, "ecdsa");
  }

  async publish(size?: number): Promise<void> {
    this.note = await this.sign(size);
  }

  served(url = "http://drawn.example"): ServedLog {
    return {
      url,
      checkpoint: async () => {
        if (this.isDown) throw new Error("cannot be reached");
        return this.note;
      },
      isFrozen: async () => this.isFrozen,
      leaves: { read: async (first, end) => this.leaves.slice(Number(first), Number(end)) },
      tiles: { tile: async (level, index, width) => this.lie(level, index, this.#tile(level, index, width)) },
    };
  }

  #tile(level: number, index: bigint, width: number): Uint8Array | undefined {
    const each = 256 ** level;
    const hashes = Array.from({ length: width }, (_, at) => {
      const start = (Number(index) * 256 + at) * each;
      return this.leaves.length < start + each ? undefined : mth(this.leaves.slice(start, start + each));
    });
    return hashes.every((hash) => hash !== undefined) ? Buffer.concat(hashes) : undefined;
  }
}
