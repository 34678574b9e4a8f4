import { randomBytes } from "node:crypto";
import type { PublicKey, Signer } from "@chancery/crypto";
import { counted } from "@chancery/encoding";
import { Fault, Misconfigured, Unavailable } from "@chancery/fault";
import {
  type Certificate,
  endOfChain,
  LeafIssuer,
  type LeafRequest,
  reviewAuthorityChain,
  serialNumbers,
} from "@chancery/x509";
import type { LoggedPrecertificate, OwnCtLog } from "./ct-log.ts";
import type { Principal } from "./principal.ts";
import { AuthorityFailure, REFUSAL } from "./refusal.ts";

/** The authority's certificates, issuing one first, root last, and the issuing one's key. */
export interface AuthorityIdentity {
  readonly chain: readonly Certificate[];
  readonly signer: Signer;
}

export interface IssuedCertificate {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly serial: Uint8Array;
  /** Whether an SCT stands in it; without a CT log none does. */
  readonly isLogged: boolean;
  /** In the CT log, where that tells. */
  readonly ctIndex?: bigint | undefined;
}

/** Upstream's: long enough to sign once, too short to be worth stealing. */
export const CERTIFICATE_LIFETIME = 10 * 60_000;
const A_DAY = 24 * 60 * 60_000;
const WARNING_DAYS = 30;
/** Milliseconds: with what else a request takes, its answer is out within five seconds. Clients give up after about ten. */
const CT_TIMEOUT = 4_250;

/** Issues certificates for principals. With a CT log, none leaves that the log has not promised to include. */
export class CertificateAuthority {
  readonly chain: readonly Certificate[];
  readonly #leaves: LeafIssuer;
  readonly #ctLog: OwnCtLog | undefined;
  readonly #clock: () => number;
  readonly #nextSerial = serialNumbers(randomBytes);
  /** Of the last certificate that was to be logged, and since when it is so. */
  #ctLogFailure: { readonly since: number; readonly reason: string } | undefined;

  /** Misconfigured unless chain, key and CT log fit together. */
  constructor(identity: AuthorityIdentity, ctLog: OwnCtLog | undefined, clock: () => number) {
    const [issuing] = identity.chain;
    if (issuing === undefined) throw new Misconfigured("fulcio.chain", "has no certificate");
    const complaints = reviewAuthorityChain(identity.chain, identity.signer.publicKey.spki);
    if (complaints.length > 0) throw new Misconfigured("fulcio.chain", complaints.join("; "));
    this.chain = identity.chain;
    this.#leaves = new LeafIssuer(issuing, identity.signer);
    this.#ctLog = ctLog;
    this.#clock = clock;
  }

  async issue(principal: Principal, key: PublicKey): Promise<IssuedCertificate> {
    const now = this.#clock();
    const outside = this.#outOfValidity(now);
    if (outside !== undefined) throw new AuthorityFailure(REFUSAL.authority, new Unavailable(outside, 60));
    const request = this.#leafRequest(principal, key, now);
    const { serial } = request;
    if (this.#ctLog !== undefined) return { ...(await this.#logged(request, this.#ctLog)), serial, isLogged: true };
    return { certificate: await this.#leaves.unloggedCertificate(request), serial, isLogged: false };
  }

  /** Undefined when certificates can be issued that verify. */
  readiness(): string | undefined {
    return this.#outOfValidity(this.#clock());
  }

  /** Time enough for a ceremony at an offline root. */
  warning(): string | undefined {
    const end = endOfChain(this.chain);
    const days = Math.ceil((end.getTime() - this.#clock()) / A_DAY);
    if (days > WARNING_DAYS) return undefined;
    return `the authority's chain ends on ${end.toISOString()} (in ${counted(Math.max(days, 0), "day")}), and no certificate is issued after`;
  }

  /** No more than a warning: the next certificate may be logged, and only a request can find out. */
  ctLogWarning(): string | undefined {
    if (this.#ctLogFailure === undefined) return undefined;
    const { since, reason } = this.#ctLogFailure;
    return `since ${new Date(since).toISOString()} no certificate could be entered in the CT log, and none was issued: ${reason}`;
  }

  #outOfValidity(now: number): string | undefined {
    const place = this.chain.findIndex(
      ({ notBefore, notAfter }) => now < notBefore.getTime() || now > notAfter.getTime(),
    );
    const certificate = this.chain[place];
    if (certificate === undefined) return undefined;
    const [from, until] = [certificate.notBefore.toISOString(), certificate.notAfter.toISOString()];
    return `certificate ${place} of the authority's chain is valid from ${from} to ${until} only`;
  }

  /** Not back-dated: a certificate must not cover a time at which its token was not there. */
  #leafRequest(principal: Principal, key: PublicKey, now: number): LeafRequest {
    const notBefore = new Date(now - (now % 1000));
    return {
      spki: key.spki,
      san: principal.san,
      extensions: principal.extensions,
      notBefore,
      notAfter: new Date(notBefore.getTime() + CERTIFICATE_LIFETIME),
      serial: this.#nextSerial(),
    };
  }

  /**
   * If the process ends after the precertificate was logged, the log holds a promise nobody kept: harmless,
   * as its serial is never used again. The other order could leave a certificate that no log has seen.
   */
  async #logged(request: LeafRequest, ctLog: OwnCtLog): Promise<Pick<IssuedCertificate, "certificate" | "ctIndex">> {
    const precertificate = await this.#leaves.precertificate(request);
    let sct: LoggedPrecertificate;
    try {
      sct = await withinTime(ctLog.addIssued(precertificate));
    } catch (cause) {
      const reason = cause instanceof Fault ? cause.message : "internal error";
      this.#ctLogFailure = { since: this.#ctLogFailure?.since ?? this.#clock(), reason };
      throw new AuthorityFailure(REFUSAL.ctLog, cause);
    }
    this.#ctLogFailure = undefined;
    return { certificate: await this.#leaves.certificate(request, [sct]), ctIndex: sct.index };
  }
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Unavailable("the CT log did not answer in time", 1)), CT_TIMEOUT);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
