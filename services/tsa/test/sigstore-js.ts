import { createRequire } from "node:module";

/*
 * sigstore-js as an oracle. Its packages stand below `sigstore` and are not ours to import: what is used of them is
 * required from there and described here.
 */

const sigstore = createRequire(createRequire(import.meta.url).resolve("sigstore"));
const verifier = createRequire(sigstore.resolve("@sigstore/verify"));

export interface Timestamp {
  readonly status: bigint;
  readonly signingTime: Date;
}

interface Core {
  RFC3161Timestamp: { parse(der: Buffer): Timestamp };
  X509Certificate: { parse(der: Buffer): object };
}
export const { RFC3161Timestamp, X509Certificate } = verifier("@sigstore/core") as Core;

interface Verify {
  verifyRFC3161Timestamp(this: void, timestamp: Timestamp, data: Buffer, authorities: object[]): void;
}
export const { verifyRFC3161Timestamp } = verifier("./timestamp/tsa.js") as Verify;

interface Sign {
  TSAWitness: new (options: { tsaBaseURL: string }) => {
    testify(content: object, key: string): Promise<{ rfc3161Timestamps: { signedTimestamp: Buffer }[] }>;
  };
}
export const { TSAWitness } = sigstore("@sigstore/sign") as Sign;
