import { keyDetails, type PublicKey, spkiHash } from "@chancery/crypto";
import { encodeHex, equalBytes } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import type { Certificate } from "@chancery/x509";
import {
  CertificateAuthority,
  HashAlgorithm,
  publicKeyDetailsFromJSON,
  TransparencyLogInstance,
  type TrustedRoot,
} from "@sigstore/protobuf-specs";
import { parseDistinguishedName } from "./distinguished-name.ts";
import { serviceUrl } from "./service-url.ts";
import { timeRange, type Validity } from "./validity.ts";

/** The version that every client reads; the newer ".v0.2+json" of the proto comments is refused by Go and Python. */
const MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/** One key of a transparency log or CT log, in the window in which it signed. */
export interface TrustedLog {
  /** Rekor v1 and CT: the log's URL. Rekor v2: the URL whose host is the checkpoint's origin. */
  readonly baseUrl: string;
  readonly publicKey: PublicKey;
  readonly validFor: Validity;
  /**
   * 32 bytes; SHA-256 of the SubjectPublicKeyInfo unless given (RFC 6962, Section 3.2). A Rekor v2 log
   * gives its C2SP identifier here, in full length.
   */
  readonly logId?: Uint8Array;
}

/** One chain of a CA or timestamp authority, in the window in which it issued. */
export interface TrustedAuthority {
  readonly uri: string;
  /** CA: the issuing certificate first; timestamp authority: its leaf first. The root is last in both. */
  readonly chain: readonly Certificate[];
  readonly validFor: Validity;
}

/** Every generation that ever signed: one that is left out makes its signatures unverifiable. */
export interface TrustedParties {
  readonly certificateAuthorities: readonly TrustedAuthority[];
  readonly transparencyLogs: readonly TrustedLog[];
  readonly ctLogs: readonly TrustedLog[];
  readonly timestampAuthorities: readonly TrustedAuthority[];
}

/**
 * The trusted root of an installation; sigstore_trustroot.proto, TrustedRoot.
 *
 * Only fields that the oldest supported reader knows are set: Go parses strictly, so `operator` (since
 * protobuf-specs 0.4.2) would break cosign 2.4 and 2.5.0, and `checkpointKeyId` would be taken for the
 * log's identifier by sigstore-js. Instances stand oldest first, whatever the order of the input.
 */
export function trustedRoot(parties: TrustedParties): TrustedRoot {
  return {
    mediaType: MEDIA_TYPE,
    tlogs: logInstances(parties.transparencyLogs, "transparencyLogs"),
    certificateAuthorities: authorities(parties.certificateAuthorities, "certificateAuthorities"),
    ctlogs: logInstances(parties.ctLogs, "ctLogs"),
    timestampAuthorities: authorities(parties.timestampAuthorities, "timestampAuthorities"),
  };
}

/** The same parties always give the same bytes: they are a TUF target, and a changed byte is a new version. */
export function encodeTrustedRoot(root: TrustedRoot): string {
  return `${JSON.stringify(trustedRootJson(root), null, 2)}\n`;
}

/** Empty lists and texts are written out, unlike protobuf's own writer does: sigstore-python requires them. */
export function trustedRootJson(root: TrustedRoot): object {
  return {
    mediaType: root.mediaType,
    tlogs: root.tlogs.map((log) => TransparencyLogInstance.toJSON(log)),
    certificateAuthorities: root.certificateAuthorities.map(authorityJson),
    ctlogs: root.ctlogs.map((log) => TransparencyLogInstance.toJSON(log)),
    timestampAuthorities: root.timestampAuthorities.map(authorityJson),
  };
}

function authorityJson(authority: CertificateAuthority): object {
  const { organization = "", commonName = "" } = authority.subject ?? {};
  return {
    subject: { organization, commonName },
    ...Object(CertificateAuthority.toJSON({ ...authority, subject: undefined })),
  };
}

/** SHA-256 of the SubjectPublicKeyInfo unless the log has an identifier of its own. */
export function trustedLogId(log: TrustedLog): Uint8Array {
  return log.logId ?? spkiHash(log.publicKey);
}

function logInstances(logs: readonly TrustedLog[], field: string): TransparencyLogInstance[] {
  const seen = new Set<string>();
  return oldestFirst(logs).map((log) => {
    const logId = trustedLogId(log);
    if (logId.length !== 32) throw new Misconfigured(field, `a log ID has ${logId.length} bytes, not 32`);
    // Clients take the first or the last of two with one ID: whichever they take, the other's window is lost.
    const text = encodeHex(logId);
    if (seen.has(text)) throw new Misconfigured(field, `log ID ${text} stands there twice`);
    seen.add(text);
    return {
      baseUrl: serviceUrl(log.baseUrl, `${field}.baseUrl`),
      hashAlgorithm: HashAlgorithm.SHA2_256,
      publicKey: {
        rawBytes: Buffer.from(log.publicKey.spki),
        keyDetails: publicKeyDetailsFromJSON(keyDetails(log.publicKey.algorithm)),
        validFor: timeRange(log.validFor, field),
      },
      logId: { keyId: Buffer.from(logId) },
      checkpointKeyId: undefined,
      operator: "",
    };
  });
}

function authorities(list: readonly TrustedAuthority[], field: string): CertificateAuthority[] {
  return oldestFirst(list).map((authority) => {
    const [first] = authority.chain;
    if (first === undefined) throw new Misconfigured(field, "a certificate chain is empty");
    requireOrderedChain(authority.chain, field);
    return {
      subject: parseDistinguishedName(first.subject, `${field}.subject`),
      uri: serviceUrl(authority.uri, `${field}.uri`),
      certChain: { certificates: authority.chain.map(({ der }) => ({ rawBytes: Buffer.from(der) })) },
      validFor: timeRange(authority.validFor, field),
      operator: "",
    };
  });
}

/** sigstore_trustroot.proto: "The last certificate in the chain MUST be the trust anchor." Clients go by position. */
function requireOrderedChain(chain: readonly Certificate[], field: string): void {
  for (const [position, certificate] of chain.entries()) {
    const issuer = chain[position + 1] ?? certificate;
    if (!equalBytes(certificate.issuer, issuer.subject)) {
      throw new Misconfigured(
        field,
        issuer === certificate
          ? "the last certificate of a chain is not a self-issued root"
          : `certificate ${position + 1} of a chain was not issued by the one after it`,
      );
    }
  }
}

function oldestFirst<T extends { readonly validFor: Validity }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => a.validFor.start.getTime() - b.validFor.start.getTime());
}
