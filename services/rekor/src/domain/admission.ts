import { sha256 } from "@chancery/crypto";
import { encodeHex, parsePem } from "@chancery/encoding";
import { Fault, Forbidden, Unauthenticated } from "@chancery/fault";
import { acceptToken, type Caller, type Glob, globMatches, type TokenRule } from "@chancery/identity";
import { type Certificate, parseCertificate, parseSubjectAlternativeNames, verifyIssuedBy } from "@chancery/x509";
import { keyDigest, type SigningKey } from "./pki/signing-key.ts";

/**
 * Who may write. Without rules anyone may, as upstream. Where there are both, both must hold: the one says who may send,
 * the other whose signatures are taken.
 */
export interface AdmissionRules {
  /** One of them is enough. */
  readonly callers?: CallerRules | undefined;
  /** Every signer of an entry must be one of them. */
  readonly signers?: SignerRules | undefined;
}

export interface CallerRules {
  readonly tokens: readonly TokenRule[];
  readonly certificates: readonly ClientCertificateRule[];
}

export interface ClientCertificateRule {
  /** Those that issue the clients' certificates, themselves. */
  readonly authorities: readonly Certificate[];
  /** One of the certificate's DNS names matches one of these, or a name of type T if they begin with `T:`; any if left out. */
  readonly names?: readonly Glob[] | undefined;
}

export interface SignerRules {
  /** The issuing certificates of this installation's CA, those of before too. */
  readonly authorities: readonly Certificate[];
  /**
   * Hexadecimal SHA-256 of a bare key's SPKI, or of a whole certificate: whoever has a listed key could make one with any
   * name. Of a key that is no X.509 one, of its canonical form.
   */
  readonly keys: ReadonlySet<string>;
}

/** Holds a log's rules against who sends an entry and who signed it. Of what it refuses nothing is logged. */
export class Admission {
  readonly #rules: AdmissionRules;
  readonly #clock: () => number;

  constructor(rules: AdmissionRules = {}, clock: () => number = Date.now) {
    this.#rules = rules;
    this.#clock = clock;
  }

  /** MUST be asked before the entry is read: it says whether its bytes are worth any work. */
  async assertCaller(caller: Caller): Promise<void> {
    const { callers } = this.#rules;
    if (callers === undefined) return;
    const { tokens, certificates } = callers;
    const complaint = certificateComplaint(caller, certificates, this.#clock());
    if (complaint === undefined) return;
    if (caller.token !== undefined && tokens.length > 0) {
      try {
        await acceptToken(caller.token, tokens, this.#clock());
        return;
      } catch (cause) {
        if (!(cause instanceof Unauthenticated)) throw cause;
        throw new Unauthenticated(`${cause.message}: send ${wanted(callers)}`, { cause });
      }
    }
    if (complaint instanceof Forbidden) throw complaint;
    throw new Unauthenticated(`${complaint.message}: send ${wanted(callers)}`);
  }

  assertSigners(signers: readonly SigningKey[]): void {
    assertSigners(signers, this.#rules.signers);
  }
}

/** Anyone's signatures are taken without rules. */
export function assertSigners(signers: readonly SigningKey[], rules: SignerRules | undefined): void {
  if (rules === undefined) return;
  for (const signer of signers) {
    const { fingerprint, certificate } = identityOf(signer);
    if (rules.keys.has(fingerprint)) continue;
    if (certificate !== undefined && rules.authorities.some((authority) => isIssuedBy(certificate, authority))) {
      continue;
    }
    throw new Forbidden(`this log takes only ${welcome(rules)}; ${fingerprint} is not one of them`);
  }
  if (signers.length === 0) throw new Forbidden(`this log takes only ${welcome(rules)}; the entry names no signer`);
}

const KNOWN_CALLERS = "this log takes entries from known callers only";

/** Undefined if one of the rules lets it in. */
function certificateComplaint(
  { certificate: der, certificateRefusal }: Caller,
  rules: readonly ClientCertificateRule[],
  now: number,
): Unauthenticated | Forbidden | undefined {
  if (rules.length === 0) return new Unauthenticated(KNOWN_CALLERS);
  if (certificateRefusal !== undefined) {
    return new Unauthenticated(`the client certificate that was shown is not accepted (${certificateRefusal})`);
  }
  if (der === undefined) return new Unauthenticated(KNOWN_CALLERS);
  const certificate = parseCertificate(der, "client certificate");
  // TLS looked when the connection began, which may be long ago.
  if (now > certificate.notAfter.getTime()) return new Unauthenticated("the client certificate is over");
  const known = rules.filter(({ authorities }) => authorities.some((each) => isIssuedBy(certificate, each)));
  if (known.length === 0)
    return new Unauthenticated("the client certificate is of an authority that this log does not know");
  // What stands in another type of name is not what a bare pattern means: a URI or an e-mail may spell a host's name.
  const names = parseSubjectAlternativeNames(certificate).map(({ type, value }) =>
    type === "dns" && !value.includes(":") ? value : `${type}:${value}`,
  );
  const matches = ({ names: globs }: ClientCertificateRule) =>
    globs === undefined || globs.some((glob) => names.some((name) => globMatches(glob, name)));
  if (known.some(matches)) return undefined;
  return new Forbidden("the client certificate has no alternative name that is let in");
}

function isIssuedBy(certificate: Certificate, authority: Certificate): boolean {
  try {
    verifyIssuedBy(certificate, authority, "certificate");
    return true;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

const DECODER = new TextDecoder();
const X509 = /^-----BEGIN (PUBLIC KEY|CERTIFICATE)-----/;

function identityOf(signer: SigningKey): { readonly fingerprint: string; readonly certificate?: Certificate } {
  if (!X509.test(DECODER.decode(signer.canonical.subarray(0, 27)))) return { fingerprint: keyDigest(signer) };
  const [leaf] = parsePem(signer.canonical, "signer");
  if (leaf === undefined) return { fingerprint: keyDigest(signer) };
  if (leaf.label === "PUBLIC KEY") return { fingerprint: encodeHex(sha256(leaf.der)) };
  const certificate = parseCertificate(leaf.der, "signer");
  return { fingerprint: encodeHex(sha256(certificate.der)), certificate };
}

function wanted({ tokens, certificates }: CallerRules): string {
  const issuers = [...new Set(tokens.map(({ issuer, audience }) => `${issuer} for the audience ${audience}`))];
  const ways = issuers.map((issuer) => `a bearer token of ${issuer}`);
  return [...ways, ...(certificates.length > 0 ? ["a client certificate (TLS)"] : [])].join(", or ");
}

function welcome({ authorities, keys }: SignerRules): string {
  const kinds = [
    ...(authorities.length > 0 ? ["signatures with certificates of this installation's authority"] : []),
    ...(keys.size > 0 ? ["signatures of listed keys"] : []),
  ];
  return kinds.join(" and ");
}
