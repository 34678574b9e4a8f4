import { join } from "node:path";
import type { Signer } from "@chancery/crypto";
import { equalBytes } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import {
  type Certificate,
  createIntermediateAuthority,
  createRootAuthority,
  createTimestampingCertificate,
  OID,
  parseCertificate,
} from "@chancery/x509";
import { FIRST } from "./authority/authority.ts";
import { readChain, writeChain } from "./authority/chain-file.ts";

type FulcioKeys = Readonly<Record<"fulcio-root" | "fulcio-intermediate", Signer>>;
type TimestampKeys = Readonly<Record<"tsa-root" | "tsa", Signer>>;

const TSA_CHAIN = "tsa.pem";
const VALID_YEARS = 10;

/** Makes Fulcio's chain, root and intermediate, in `directory`. */
export async function issueFulcioChain(
  directory: string,
  hostname: string,
  from: Date,
  keys: FulcioKeys,
): Promise<void> {
  const validity = { notBefore: from, notAfter: yearsAfter(from, VALID_YEARS) };
  const name = (commonName: string) => ({ organization: hostname.slice(0, 64), commonName });
  const root = parseCertificate(
    await createRootAuthority({ ...validity, subject: name("Chancery root"), signer: keys["fulcio-root"] }),
    "fulcio root",
  );
  const intermediate = await createIntermediateAuthority({
    ...validity,
    subject: name("Chancery intermediate"),
    issuer: root,
    issuerSigner: keys["fulcio-root"],
    spki: keys["fulcio-intermediate"].publicKey.spki,
  });
  await writeChain(join(directory, `${FIRST.name}.pem`), [intermediate, root.der]);
}

/** Makes the timestamp authority's chain, root and signing certificate, in `directory`. */
export async function issueTimestampChain(
  directory: string,
  hostname: string,
  from: Date,
  keys: TimestampKeys,
): Promise<void> {
  const validity = { notBefore: from, notAfter: yearsAfter(from, VALID_YEARS) };
  const name = (commonName: string) => ({ organization: hostname.slice(0, 64), commonName });
  const root = parseCertificate(
    await createRootAuthority({
      ...validity,
      subject: name("Chancery timestamp root"),
      signer: keys["tsa-root"],
      extendedKeyUsage: [OID.timeStamping],
      pathLength: 0,
    }),
    "tsa root",
  );
  const leaf = await createTimestampingCertificate({
    ...validity,
    subject: name("Chancery timestamp authority"),
    issuer: root,
    issuerSigner: keys["tsa-root"],
    spki: keys.tsa.publicKey.spki,
  });
  await writeChain(join(directory, TSA_CHAIN), [leaf, root.der]);
}

/** The signing certificate first; held against the key that signs under it. */
export async function loadTimestampChain(directory: string, signer: Signer): Promise<readonly Certificate[]> {
  const path = join(directory, TSA_CHAIN);
  const chain = await readChain(path);
  if (chain[0] === undefined || !equalBytes(chain[0].spki, signer.publicKey.spki)) {
    throw new Misconfigured(path, "the first certificate is not of the key that signs under it");
  }
  return chain;
}

export function yearsAfter(date: Date, years: number): Date {
  const later = new Date(date);
  later.setUTCFullYear(later.getUTCFullYear() + years);
  return later;
}
