import { ephemeralSigner, type KeyAlgorithm, type Signer } from "@chancery/crypto";
import { der, encodePem } from "@chancery/encoding";
import {
  type Certificate,
  createRootAuthority,
  createTimestampingCertificate,
  parseCertificate,
  type TimestampingCertificateRequest,
} from "@chancery/x509";
import { randomBytes } from "node:crypto";
import { type TimestampAuthorityOptions, TimestampAuthority } from "../src/index.ts";

export const NOW = Date.parse("2026-11-21T10:00:00.789Z");

export interface World {
  readonly chain: readonly Certificate[];
  readonly signer: Signer;
  readonly rootPem: string;
  readonly leafPem: string;
}

/** A root and a timestamping certificate, as an installation makes them. */
export async function world(
  algorithm: KeyAlgorithm = "ecdsa-p256",
  changes: Partial<TimestampingCertificateRequest> = {},
): Promise<World> {
  const [rootSigner, signer] = [ephemeralSigner(algorithm), ephemeralSigner(algorithm)];
  const validity = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2036-01-01T00:00:00Z") };
  const subject = { commonName: "Example Root", organization: "Example" };
  const root = parseCertificate(
    await createRootAuthority({ subject, signer: rootSigner, pathLength: 0, ...validity }),
    "root",
  );
  const leaf = parseCertificate(
    await createTimestampingCertificate({
      subject: { commonName: "Example Timestamps", organization: "Example" },
      issuer: root,
      issuerSigner: rootSigner,
      spki: signer.publicKey.spki,
      ...validity,
      ...changes,
    }),
    "leaf",
  );
  const [rootPem, leafPem] = [encodePem("CERTIFICATE", root.der), encodePem("CERTIFICATE", leaf.der)];
  return { chain: [leaf, root], signer, rootPem, leafPem };
}

export function authority(from: World, changes: Partial<TimestampAuthorityOptions> = {}): TimestampAuthority {
  return new TimestampAuthority({ ...from, clock: () => NOW, randomBytes, ...changes });
}

export const SHA256 = "2.16.840.1.101.3.4.2.1";

/** A TimeStampReq of which a test may replace each part. */
export function query(
  changes: {
    version?: Uint8Array;
    hash?: Uint8Array;
    digest?: Uint8Array;
    policy?: Uint8Array;
    nonce?: Uint8Array;
    certReq?: Uint8Array;
    extensions?: Uint8Array;
  } = {},
): Uint8Array {
  const imprint = der.sequence(
    changes.hash ?? der.sequence(der.oid(SHA256), der.null()),
    der.octetString(changes.digest ?? new Uint8Array(32).fill(0xd1)),
  );
  const optional = [changes.policy, changes.nonce, changes.certReq, changes.extensions];
  return der.sequence(changes.version ?? der.integer(1), imprint, ...optional.filter((part) => part !== undefined));
}
