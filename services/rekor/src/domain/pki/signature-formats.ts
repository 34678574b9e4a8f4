import { Unsupported } from "@chancery/fault";
import { minisign } from "./minisign.ts";
import { pgp } from "./pgp.ts";
import type { Placed, SignatureFormat } from "./signature-format.ts";
import type { SigningKey } from "./signing-key.ts";
import { ssh } from "./ssh.ts";
import { VerificationBudget } from "../verification-budget.ts";
import { parseTufRoot } from "./tuf.ts";
import { x509 } from "./x509.ts";

/** Every format that keys and detached signatures are read in. To add one: a file beside this one, and its line here. */
const SIGNATURE_FORMATS: readonly SignatureFormat[] = [x509, pgp, ssh, minisign];

export function signatureFormat(name: string): SignatureFormat | undefined {
  return SIGNATURE_FORMATS.find((format) => format.name === name);
}

/** A key to search by; for TUF it is the root. */
export function parseKeyOf(format: string, key: Placed): SigningKey | Promise<SigningKey> {
  if (format === "tuf") return parseTufRoot(key.bytes, key.field, new VerificationBudget());
  const found = signatureFormat(format);
  if (found === undefined) throw new Unsupported(`${key.field}: keys of format ${format} are not read here`);
  return found.parseKey(key);
}
