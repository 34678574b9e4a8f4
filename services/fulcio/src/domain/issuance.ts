import { encodeHex } from "@chancery/encoding";
import { Fault, Unverified } from "@chancery/fault";
import type { Audit, RefusedEvent } from "./audit.ts";
import type { CertificateAuthority, IssuedCertificate } from "./certificate-authority.ts";
import type { VerifiedClaims } from "./claims.ts";
import { assertAudience, assertTimes, parseIdentityToken, type UnverifiedToken } from "./identity-token.ts";
import type { ClientAlgorithm } from "./client-algorithm.ts";
import type { IssuerKeys } from "./issuer-keys.ts";
import type { IssuerPool, MatchedIssuer } from "./issuer-pool.ts";
import type { Principal } from "./principal.ts";
import { type Proof, provenKey } from "./proof-of-possession.ts";
import { REFUSAL, refusal } from "./refusal.ts";
import { isSignedBy } from "./token-signature.ts";

export interface IssuanceOptions {
  readonly pool: IssuerPool;
  readonly keys: IssuerKeys;
  readonly authority: CertificateAuthority;
  readonly audit: Audit;
  /** Seconds from `iat` to `exp` beyond which a token is refused. */
  readonly longestTokenLife: number;
  readonly clock: () => number;
  /** Keys that may be certified; upstream's default if left out. */
  readonly clientAlgorithms?: readonly ClientAlgorithm[] | undefined;
}

/** From a token and a proof to a certificate, or to a reason why not; each leaves one line in the audit. */
export class Issuance {
  readonly #options: IssuanceOptions;

  constructor(options: IssuanceOptions) {
    this.#options = options;
  }

  async issue(token: string, proof: Proof): Promise<IssuedCertificate> {
    const known: { claims?: VerifiedClaims } = {};
    try {
      known.claims = await this.#verifiedClaims(token);
      const principal = toPrincipal(this.#options.pool.match(known.claims.issuer), known.claims);
      const issued = await this.#options.authority.issue(
        principal,
        await provenKey(proof, principal.name, this.#options.clientAlgorithms),
      );
      await this.#options.audit({
        outcome: "issued",
        issuer: known.claims.issuer,
        subject: known.claims.subject,
        name: principal.san.value,
        serial: encodeHex(issued.serial),
      });
      return issued;
    } catch (error) {
      await this.#recordRefusal(error, known.claims);
      throw error;
    }
  }

  /** In the order of cost, and of what an attacker can make us do: nothing is fetched for a token that cannot pass. */
  async #verifiedClaims(compact: string): Promise<VerifiedClaims> {
    const { pool, longestTokenLife, clock } = this.#options;
    try {
      const token = parseIdentityToken(compact);
      const issuer = pool.match(token.issuer);
      assertAudience(token, issuer.settings.clientId);
      assertTimes(token, clock() / 1000, longestTokenLife);
      await this.#assertSigned(token, issuer);
      return { issuer: token.issuer, subject: token.subject, all: token.claims };
    } catch (error) {
      throw refusal(REFUSAL.identityToken, error);
    }
  }

  async #assertSigned(token: UnverifiedToken, issuer: MatchedIssuer): Promise<void> {
    const { keys } = this.#options;
    const known = await keys.current(issuer);
    if (await isSignedBy(token, known)) return;
    const newer = await keys.newerThan(known, issuer);
    if (newer === undefined || !(await isSignedBy(token, newer))) {
      throw new Unverified("the token's signature is not one of its issuer's");
    }
  }

  async #recordRefusal(error: unknown, claims: VerifiedClaims | undefined): Promise<void> {
    const reason = error instanceof Fault ? error.message : "internal error";
    const event: RefusedEvent =
      claims === undefined
        ? { outcome: "refused", reason }
        : { outcome: "refused", reason, issuer: claims.issuer, subject: claims.subject };
    try {
      await this.#options.audit(event);
    } catch {
      // The request is refused already, and for a better reason.
    }
  }
}

function toPrincipal(issuer: MatchedIssuer, claims: VerifiedClaims): Principal {
  try {
    return issuer.toPrincipal(claims);
  } catch (error) {
    throw refusal(REFUSAL.identityToken, error);
  }
}
