import { Unverified } from "@chancery/fault";
import { type Certificate, isSignedBy } from "../certificate/certificate.ts";
import { parseTimestampList, timestampedBytes } from "../certificate/precertificate.ts";
import { fingerprint } from "./public-key.ts";
import { verifyMessage } from "./signature.ts";
import type { Finding } from "./step.ts";
import { isAfter, isBefore, type TrustedAuthority, type TrustedParties } from "./trusted-keys.ts";

/** Which authority has issued the certificate, for the verdict. */
export interface FoundAuthority {
  authority: TrustedAuthority | undefined;
}

/** What is asked of a certificate. */
export interface CertificateQuestion {
  /** When it has to have been valid, in milliseconds: each time that is proven. */
  readonly times: readonly number[];
  /**
   * A bundle vouches for its signer, so a signer that nobody vouches for is a failure. An entry is in the log whoever
   * signed it: an open log takes any certificate.
   */
  readonly of: "bundle" | "entry";
}

const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";

export async function checkCertificate(
  certificate: Certificate | undefined,
  parties: TrustedParties,
  question: CertificateQuestion,
  found: FoundAuthority,
): Promise<Finding> {
  if (certificate === undefined) return bareKey(question);
  const values = [["Issued by", certificate.issuer]] as const;
  const issuers = await findIssuers(certificate, parties.authorities);
  if (issuers.length === 0) return foreign(parties, question, values);
  if (!certificate.extendedKeyUsages.includes(CODE_SIGNING)) throw new Unverified("it is not for signing code");
  const { times } = question;
  if (times.some((at) => !isValid(certificate, at))) {
    throw new Unverified("it was not valid when the entry was logged or its signature was stamped");
  }
  const authority = issuers.find((one) => times.every((at) => isAuthorityAt(one, at)));
  if (authority === undefined) throw new Unverified("the authority that issued it was not in force at that time");
  found.authority = authority;
  // A server that wants to name somebody else has only to serve an authority of its own.
  if (authority.source === "server" && parties.logKeys.some(({ source }) => source !== "server")) {
    const words =
      "It was issued by an authority that only this server's trusted root names: who signed is by this server's word.";
    return { state: "doubtful", words, values };
  }
  if (times.length === 0) return withoutTime(question, values);
  const words = "An authority of the trusted root has issued it. It was valid at the time that is proven.";
  return { state: "passed", words, values };
}

function bareKey({ of }: CertificateQuestion): Finding {
  if (of === "entry") return { state: "open", words: "It was signed with a bare key, without a certificate." };
  const words =
    "It was signed with a bare key, and nothing here says whose that is: compare its fingerprint with that of the signer you know.";
  return { state: "doubtful", words };
}

function foreign({ authorities }: TrustedParties, { of }: CertificateQuestion, values: Finding["values"]): Finding {
  // Whoever put in authorities of their own said whom they believe.
  if (of === "bundle" || authorities.some(({ source }) => source !== "server")) {
    throw new Unverified("no certificate authority of the trusted root has issued it");
  }
  const words =
    "The certificate is not of this installation's authority, so nothing here vouches for the names in it. The log takes such entries too: that it is in the log is proven all the same.";
  return { state: "doubtful", words, ...(values && { values }) };
}

function withoutTime({ of }: CertificateQuestion, values: Finding["values"]): Finding {
  if (of === "bundle") throw new Unverified("no time is proven at which it would have to be valid");
  // Whoever finds the key of a certificate years later can still sign with it, and log that.
  const words =
    "An authority of the trusted root has issued it, for a few minutes. This log signs no time, so whether it was still valid when the entry was made cannot be told from the entry: check the signer's bundle, whose timestamp proves it.";
  return { state: "doubtful", words, ...(values && { values }) };
}

async function findIssuers(
  certificate: Certificate,
  authorities: readonly TrustedAuthority[],
): Promise<TrustedAuthority[]> {
  const signed = await Promise.all(
    authorities.map(async ({ chain: [issuer, ...above] }) => {
      if (issuer?.subject !== certificate.issuer || !(await isSignedBy(certificate, issuer.key))) return false;
      return await isChain([issuer, ...above]);
    }),
  );
  return authorities.filter((_, index) => signed[index]);
}

/** Whether each is issued by the next; the last one is trusted as it stands. */
export async function isChain(chain: readonly Certificate[]): Promise<boolean> {
  const links = chain.slice(1).map(async (issuer, index) => {
    const issued = chain[index];
    return issued !== undefined && issued.issuer === issuer.subject && (await isSignedBy(issued, issuer.key));
  });
  return (await Promise.all(links)).every(Boolean);
}

export function isAuthorityAt({ chain, validFor }: TrustedAuthority, at: number): boolean {
  if (isBefore(at, validFor ?? {}) || isAfter(at, validFor ?? {})) return false;
  return chain.every((certificate) => isValid(certificate, at));
}

function isValid({ notBefore, notAfter }: Certificate, at: number): boolean {
  return at >= notBefore.getTime() && at <= notAfter.getTime();
}

/** Whether a certificate log signed that it had this certificate before it was issued. RFC 6962, Section 3.2. */
export async function checkCertificateLog(
  certificate: Certificate | undefined,
  authority: TrustedAuthority | undefined,
  { ctLogKeys, logKeys }: TrustedParties,
): Promise<Finding> {
  const issuer = authority?.chain[0];
  if (certificate === undefined) return open("There is no certificate.");
  if (issuer === undefined) return open("Without the authority that issued the certificate it cannot be computed.");
  if (ctLogKeys.length === 0) return open("The trusted root names no log of certificates.");
  if (certificate.sctList === undefined) {
    return {
      state: "doubtful",
      words: "The certificate has no timestamp of a certificate log: it may never have been logged.",
    };
  }
  for (const timestamp of parseTimestampList(certificate.sctList)) {
    const id = timestamp.logId.toHex();
    const known = ctLogKeys.filter(({ key }) => fingerprint(key).toHex() === id);
    const at = Number(timestamp.timestamp);
    const log = known.find(({ validFor = {} }) => !isBefore(at, validFor) && !isAfter(at, validFor)) ?? known[0];
    if (log === undefined) continue;
    const signed = timestampedBytes(certificate, issuer, timestamp);
    if (!(await verifyMessage(log.key, signed, timestamp.signature))) {
      throw new Unverified("the certificate log did not sign this certificate");
    }
    const { validFor = {} } = log;
    if (isBefore(at, validFor) || isAfter(at, validFor)) {
      throw new Unverified("the trusted root does not believe the certificate log's key at the time that it signed");
    }
    const values = [
      ["Logged", new Date(at).toISOString()],
      ["Log's key", id],
      ["Named", log.label],
    ] as const;
    if (log.source === "server" && logKeys.some(({ source }) => source !== "server")) {
      return { state: "open", words: "A log signed for it whose key only this server's trusted root names.", values };
    }
    return { state: "passed", words: "A certificate log has signed that it had this certificate.", values };
  }
  return { state: "doubtful", words: "It names only certificate logs that the trusted root does not know." };
}

function open(words: string): Finding {
  return { state: "open", words };
}
