import { readFile, stat } from "node:fs/promises";
import { sha256 } from "@chancery/crypto";
import { concatBytes, encodeHex, encodePem, equalBytes } from "@chancery/encoding";
import { Fault, Misconfigured } from "@chancery/fault";
import { type Certificate, parseCertificatesPem, reviewAuthorityChain } from "@chancery/x509";
import { writeDurably } from "../durable-file.ts";

/** As `verifyChain` does. */
const MAX_CHAIN = 10;
const MAX_BYTES = 256 * 1024;

export async function writeChain(path: string, chain: readonly Uint8Array[]): Promise<void> {
  await writeDurably(path, chain.map((certificate) => encodePem("CERTIFICATE", certificate)).join(""));
}

/** Certificates in PEM, the issuing one first. `openssl ca` and `step` put text before each: it is passed over. */
export async function readChain(path: string): Promise<readonly Certificate[]> {
  let text: string;
  try {
    if ((await stat(path)).size > MAX_BYTES) throw new Misconfigured(path, "too large to be a certificate chain");
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Misconfigured) throw cause;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new Misconfigured(path, `the certificates cannot be read (${code})`, { cause });
  }
  try {
    return parseCertificatesPem(withoutText(text), path, { max: MAX_CHAIN });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Misconfigured(path, error.message.replace(`${path}: `, ""));
  }
}

/** Throws Misconfigured, naming the file and everything that is wrong, unless `spki` can issue under the chain. */
export function requireIssuing(
  path: string,
  chain: readonly Certificate[],
  spki: Uint8Array,
  byTheClock: readonly string[],
): void {
  const complaints = [...reviewAuthorityChain(chain, spki), ...byTheClock];
  if (complaints.length > 0) throw new Misconfigured(path, complaints.join("; "));
}

/** Throws unless two chains end in one root; what clients were told to trust is not changed by mistake. */
export function requireSameRoot(path: string, chain: readonly Certificate[], before: readonly Certificate[]): void {
  const [now, known] = [chain.at(-1), before.at(-1)];
  if (now === undefined || known === undefined || equalBytes(now.der, known.der)) return;
  throw new Misconfigured(
    path,
    `ends in another root (SHA-256 ${encodeHex(sha256(now.der))}) than the one clients trust (${encodeHex(sha256(known.der))}); if that is meant: chancery init … --new-root`,
  );
}

export function chainFingerprint(chain: readonly Certificate[]): string {
  return encodeHex(sha256(concatBytes(...chain.map(({ der }) => der))));
}

function withoutText(text: string): string {
  return (text.match(/-----BEGIN [^]*?-----END [A-Z0-9 ]+-----(?:[ \t]*\r?\n|[ \t]*$)/g) ?? [text]).join("");
}
