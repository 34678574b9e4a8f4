import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Signer } from "@chancery/crypto";
import { encodePem, equalBytes } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import {
  type Certificate,
  createIntermediateAuthority,
  createRootAuthority,
  createTimestampingCertificate,
  OID,
  parseCertificate,
  parseCertificatesPem,
} from "@chancery/x509";
import { writeDurably } from "./durable-file.ts";

/** The certificates that stand above what an installation issues; each chain ends in its root. */
export interface Authorities {
  /** The issuing certificate first. */
  readonly fulcioChain: readonly Certificate[];
  /** The signing certificate first. */
  readonly tsaChain: readonly Certificate[];
}

type AuthorityKeys = Readonly<Record<"fulcio-root" | "fulcio-intermediate" | "tsa-root" | "tsa", Signer>>;

const CHAINS = { fulcio: "fulcio.pem", tsa: "tsa.pem" } as const;
const VALID_YEARS = 10;

/** Makes both chains, `fulcio.pem` and `tsa.pem` in `directory`. */
export async function issueAuthorities(
  directory: string,
  hostname: string,
  from: Date,
  keys: AuthorityKeys,
): Promise<Authorities> {
  const validity = { notBefore: from, notAfter: yearsAfter(from, VALID_YEARS) };
  const name = (commonName: string) => ({ organization: hostname.slice(0, 64), commonName });
  const fulcioRoot = parseCertificate(
    await createRootAuthority({ ...validity, subject: name("Chancery root"), signer: keys["fulcio-root"] }),
    "fulcio root",
  );
  const intermediate = await createIntermediateAuthority({
    ...validity,
    subject: name("Chancery intermediate"),
    issuer: fulcioRoot,
    issuerSigner: keys["fulcio-root"],
    spki: keys["fulcio-intermediate"].publicKey.spki,
  });
  const tsaRoot = parseCertificate(
    await createRootAuthority({
      ...validity,
      subject: name("Chancery timestamp root"),
      signer: keys["tsa-root"],
      extendedKeyUsage: [OID.timeStamping],
      pathLength: 0,
    }),
    "tsa root",
  );
  const tsa = await createTimestampingCertificate({
    ...validity,
    subject: name("Chancery timestamp authority"),
    issuer: tsaRoot,
    issuerSigner: keys["tsa-root"],
    spki: keys.tsa.publicKey.spki,
  });
  await writeChain(join(directory, CHAINS.fulcio), [intermediate, fulcioRoot.der]);
  await writeChain(join(directory, CHAINS.tsa), [tsa, tsaRoot.der]);
  return loadAuthorities(directory, keys);
}

/** Reads both chains and holds each first certificate against the key that signs under it. */
export async function loadAuthorities(directory: string, keys: AuthorityKeys): Promise<Authorities> {
  return {
    fulcioChain: await readChain(join(directory, CHAINS.fulcio), keys["fulcio-intermediate"]),
    tsaChain: await readChain(join(directory, CHAINS.tsa), keys.tsa),
  };
}

async function writeChain(path: string, chain: readonly Uint8Array[]): Promise<void> {
  await writeDurably(path, chain.map((certificate) => encodePem("CERTIFICATE", certificate)).join(""));
}

async function readChain(path: string, signer: Signer): Promise<readonly Certificate[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new Misconfigured(path, "the certificates cannot be read", { cause });
  }
  const chain = parseCertificatesPem(text, path, { max: 10 });
  if (chain[0] === undefined || !equalBytes(chain[0].spki, signer.publicKey.spki)) {
    throw new Misconfigured(path, "the first certificate is not of the key that signs under it");
  }
  return chain;
}

function yearsAfter(date: Date, years: number): Date {
  const later = new Date(date);
  later.setUTCFullYear(later.getUTCFullYear() + years);
  return later;
}
