import { minisign } from "./minisign.ts";
import type { SignatureFormat } from "./signature-format.ts";
import { ssh } from "./ssh.ts";
import { x509 } from "./x509.ts";

/** Every format that keys and detached signatures are read in. To add one: a file beside this one, and its line here. */
const SIGNATURE_FORMATS: readonly SignatureFormat[] = [x509, ssh, minisign];

export function signatureFormat(name: string): SignatureFormat | undefined {
  return SIGNATURE_FORMATS.find((format) => format.name === name);
}
