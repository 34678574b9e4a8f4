import { type Certificate, readCertificate } from "../certificate/certificate.ts";
import { isObject, isText, member } from "../json-member.ts";

/** The authorities of a trusted root: chains, the issuing certificate first. */
export interface TrustedAuthorities {
  readonly certificate: readonly (readonly Certificate[])[];
  readonly timestamp: readonly (readonly Certificate[])[];
  /** Base64 of the SPKI of every log. */
  readonly logKeys: readonly string[];
  /** And of the CT logs alone, another's too. */
  readonly ctLogKeys: readonly string[];
}

export function readTrustedRoot(root: unknown): TrustedAuthorities {
  const chains = (name: string) => member(root, name, Array.isArray).map(readChain);
  const keys = (name: string) =>
    member(root, name, Array.isArray).map((log) => member(member(log, "publicKey", isObject), "rawBytes", isText));
  return {
    certificate: chains("certificateAuthorities"),
    timestamp: chains("timestampAuthorities"),
    logKeys: [...keys("tlogs"), ...keys("ctlogs")],
    ctLogKeys: keys("ctlogs"),
  };
}

function readChain(authority: unknown): Certificate[] {
  const certificates = member(member(authority, "certChain", isObject), "certificates", Array.isArray);
  return certificates.map((one) => readCertificate(Buffer.from(member(one, "rawBytes", isText), "base64")));
}
