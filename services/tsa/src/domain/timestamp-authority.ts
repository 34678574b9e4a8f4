import type { Signer } from "@chancery/crypto";
import { der, encodePem, equalBytes } from "@chancery/encoding";
import { Misconfigured, RefusedToSign, Unsupported } from "@chancery/fault";
import { type Certificate, isValidAt, serialNumbers, verifyTimestampingChain } from "@chancery/x509";
import { DEFAULT_POLICY, isPolicy } from "./oid.ts";
import { TokenSigner } from "./signed-data.ts";
import { encodeTimestampInfo } from "./timestamp-info.ts";
import type { TimestampRequest } from "./timestamp-request.ts";
import { TokenClock } from "./token-clock.ts";

export interface TimestampAuthorityOptions {
  /** Signing certificate first, root last. */
  readonly chain: readonly Certificate[];
  readonly signer: Signer;
  /** The one policy tokens are issued under. */
  readonly policy?: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** PKIStatusInfo ::= SEQUENCE { status INTEGER { granted(0) }, … } */
const GRANTED = der.sequence(der.integer(0));

/** RFC 3161. It keeps nothing: a token is proof enough of itself. */
export class TimestampAuthority {
  /** Leaf first, as `GET /api/v1/timestamp/certchain` serves it. */
  readonly chainPem: string;
  readonly #chain: readonly Certificate[];
  readonly #leaf: Certificate;
  readonly #policy: string;
  readonly #clock: TokenClock;
  readonly #nextSerial: () => Uint8Array;
  readonly #signer: TokenSigner;

  /** Refuses a chain that no verifier would accept, or that is not the key's. The clock is looked at later, each time. */
  constructor(options: TimestampAuthorityOptions) {
    const [leaf] = options.chain;
    if (leaf === undefined) throw new Misconfigured("tsa.chain", "is empty");
    try {
      verifyTimestampingChain(options.chain);
    } catch (cause) {
      throw new Misconfigured("tsa.chain", cause instanceof Error ? cause.message : "does not verify", { cause });
    }
    if (!equalBytes(leaf.spki, options.signer.publicKey.spki)) {
      throw new Misconfigured("tsa.chain", "the first certificate is not that of the signing key");
    }
    const { policy = DEFAULT_POLICY } = options;
    if (!isPolicy(policy)) throw new Misconfigured("tsa.policy", "is not an object identifier, as 1.3.6.1.4.1.57264.2");
    this.#chain = options.chain;
    this.#leaf = leaf;
    this.#policy = policy;
    this.#clock = new TokenClock(options.clock);
    this.#nextSerial = serialNumbers(options.randomBytes);
    this.#signer = new TokenSigner(leaf, options.signer);
    this.chainPem = options.chain.map((certificate) => encodePem("CERTIFICATE", certificate.der)).join("");
  }

  /**
   * TimeStampResp ::= SEQUENCE { status PKIStatusInfo, timeStampToken TimeStampToken OPTIONAL }
   *
   * RFC 3161, Section 2.4.2. A refusal is a Fault, which the edge words as upstream does.
   */
  async stamp(request: TimestampRequest): Promise<Uint8Array> {
    if (request.policy !== undefined && request.policy !== this.#policy) {
      throw new Unsupported(`timestamp request: policy ${request.policy} is not accepted, only ${this.#policy}`);
    }
    const time = new Date(this.#clock.next((now) => this.#assertValidity(new Date(now))));
    const info = encodeTimestampInfo({
      request,
      policy: this.#policy,
      serial: this.#nextSerial(),
      time,
      authority: this.#leaf.subject,
    });
    return der.sequence(GRANTED, await this.#signer.token(info, time, request.wantsCertificate));
  }

  /** Undefined if a token made now would verify; else why not. */
  readiness(): string | undefined {
    const { now, behind } = this.#clock.look();
    if (behind > 0) return `the clock is ${Math.ceil(behind / 1000)} s behind the last token`;
    return this.#outsideValidity(new Date(now));
  }

  #assertValidity(time: Date): void {
    const invalid = this.#outsideValidity(time);
    if (invalid !== undefined) throw new RefusedToSign(`timestamp: ${invalid}`);
  }

  #outsideValidity(time: Date): string | undefined {
    const place = this.#chain.findIndex((certificate) => !isValidAt(certificate, time));
    const certificate = this.#chain[place];
    if (certificate === undefined) return undefined;
    const which = place === 0 ? "the signing certificate" : `certificate ${place} of the chain`;
    return time < certificate.notBefore
      ? `the clock is before ${which} begins (${certificate.notBefore.toISOString()})`
      : `${which} ended at ${certificate.notAfter.toISOString()}`;
  }
}
