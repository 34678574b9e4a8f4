import { loadKeyFile, type Signer } from "@chancery/crypto";
import { type Certificate, reviewEnd } from "@chancery/x509";
import { readChain, requireIssuing } from "./chain-file.ts";

/** Where the operator keeps the CA's key and chain. */
export interface AuthorityFiles {
  /** PKCS#8, perhaps under PBES2. */
  readonly key: string;
  /** PEM, the issuing certificate first, the root last. */
  readonly chain: string;
  readonly passphrase?: string | undefined;
}

export interface LoadedAuthority {
  readonly path: string;
  readonly chain: readonly Certificate[];
  readonly signer: Signer;
}

/** Both, held against each other and the clock. */
export async function loadAuthorityFiles(files: AuthorityFiles, now: Date): Promise<LoadedAuthority> {
  const signer = await loadKeyFile(files.key, { passphrase: files.passphrase });
  const chain = await readChain(files.chain);
  requireIssuing(files.chain, chain, signer.publicKey.spki, reviewEnd(chain, now));
  return { path: files.chain, chain, signer };
}
