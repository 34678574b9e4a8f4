import { type PublicKey, sha256, spkiHash } from "@chancery/crypto";
import { Fault, Pushback, Unavailable } from "@chancery/fault";
import { claimsHash } from "@chancery/identity";
import { Admission } from "./admission.ts";
import type { CertificateAuthority, IssuedCertificate } from "./certificate-authority.ts";
import type { ClientAlgorithm } from "./client-algorithm.ts";
import { type Checks, type Examiner, examineToken, type Findings } from "./examination.ts";
import type { IssuanceLedger } from "./issuance-ledger.ts";
import { IssuanceRate, type IssuanceRates } from "./issuance-rate.ts";
import type { Principal } from "./principal.ts";
import { type Proof, provenKey } from "./proof-of-possession.ts";
import { refusalCode, type Stage, type TokenCheck } from "./refusal-code.ts";
import { AuthorityFailure, REFUSAL, refusal } from "./refusal.ts";
import type { RefusalCounts } from "./refusal-counts.ts";
import { RefusalSampling } from "./refusal-sampling.ts";

export interface IssuanceOptions extends Examiner {
  readonly authority: CertificateAuthority;
  /** Keys that may be certified; upstream's default if left out. */
  readonly clientAlgorithms?: readonly ClientAlgorithm[] | undefined;
  /** Unbounded, as upstream, if left out. */
  readonly rates?: IssuanceRates | undefined;
  /** Without one, nothing is kept of what was issued. */
  readonly ledger?: IssuanceLedger | undefined;
  readonly counts: RefusalCounts;
}

/**
 * Certificates being issued at once. All of them may come back from the thread pool in one turn of the event loop: with
 * 320 clients at load 20 the longest turn took 62 ms. A token's own verification is not counted, because an issuer whose keys come
 * slowly must not fill this.
 */
const MOST_AT_ONCE = 128;

/** From a token and a proof to a certificate, or to a reason why not; the ledger keeps either. */
export class Issuance {
  readonly #options: IssuanceOptions;
  readonly #refusals: RefusalSampling | undefined;
  readonly #rate: IssuanceRate;
  readonly #admission = new Admission(MOST_AT_ONCE);

  constructor(options: IssuanceOptions) {
    this.#options = options;
    this.#rate = new IssuanceRate(options.rates ?? {}, options.clock);
    this.#refusals = options.ledger && new RefusalSampling(options.ledger, options.clock);
  }

  async issue(token: string, proof: Proof): Promise<IssuedCertificate> {
    // Before any work: when there is too much of it, a refusal must cost little.
    this.#admission.assertRoom();
    const request = new Request();
    try {
      const principal = await this.#principal(token, request);
      return await this.#admission.admit(() => this.#issueTo(principal, proof, request));
    } catch (error) {
      // Nothing was judged where there was no room.
      if (!(error instanceof Pushback)) this.#recordRefusal(error, request);
      throw error;
    }
  }

  async #issueTo(principal: Principal, proof: Proof, request: Request): Promise<IssuedCertificate> {
    request.stage = "proof";
    const key = await provenKey(proof, principal, this.#options.clientAlgorithms);
    request.stage = "rate";
    // Not before the proof: whoever has no more than another's token cannot use up what its owner may have.
    const issuer = request.findings.token?.issuer ?? "";
    this.#rate.take(issuer, principal);
    try {
      request.stage = "certificate";
      const issued = await this.#options.authority.issue(principal, key);
      request.stage = "ledger";
      await this.#record(issued, principal, key, request.findings);
      const { verdict } = request.findings;
      if (verdict?.outcome === "would-refuse") this.#options.counts.wouldRefuse(verdict.rule);
      return issued;
    } catch (error) {
      // No certificate left: an outage of the CT log must not use up what the identity may have after it.
      this.#rate.giveBack(issuer, principal);
      throw error;
    }
  }

  /** Keeps what is known of the last refusals. Nothing is issued any more. */
  async close(): Promise<void> {
    await this.#refusals?.close();
  }

  async #principal(token: string, request: Request): Promise<Principal> {
    try {
      return await examineToken(token, this.#options, request);
    } catch (error) {
      throw refusal(REFUSAL.identityToken, error);
    }
  }

  async #record(
    { certificate, serial, ctIndex }: IssuedCertificate,
    { san }: Principal,
    key: PublicKey,
    { token, verdict }: Findings,
  ): Promise<void> {
    const { ledger, clock } = this.#options;
    if (ledger === undefined || token === undefined) return;
    try {
      await ledger.recordIssued({
        time: clock(),
        issuer: token.issuer,
        subject: token.subject,
        san,
        serial,
        certificate,
        certificateHash: sha256(certificate),
        keyHash: spkiHash(key),
        claimsHash: claimsHash(token),
        ctIndex,
        wouldRefuse: verdict?.outcome === "would-refuse" ? verdict.rule : undefined,
      });
    } catch (cause) {
      throw new Unavailable("the certificate could not be written into the issuance ledger", 2, { cause });
    }
  }

  #recordRefusal(error: unknown, { stage, findings }: Request): void {
    const { token, issuer, claims, verdict } = findings;
    const code = refusalCode(stage, error);
    this.#options.counts.refused(code);
    const refused = {
      code,
      reason: error instanceof Fault || error instanceof AuthorityFailure ? error.message : "internal error",
      issuer: claims?.issuer ?? issuer?.settings.url,
      subject: claims?.subject,
      rule: verdict?.outcome === "refused" ? verdict.rule : undefined,
    };
    // Of an unknown issuer its name is all that helps: most often it is one that was mistyped in the configuration.
    this.#refusals?.record(refused, code === "issuer-unknown" ? token?.issuer : undefined);
  }
}

/** One request on its way, and how far it came. */
class Request implements Checks {
  stage: Stage = "token-shape";
  readonly findings: Findings = {};

  find<T>(check: TokenCheck, work: () => T): T {
    this.stage = check;
    return work();
  }

  hold<T extends void | Promise<void>>(check: TokenCheck, condition: () => T): T {
    this.stage = check;
    return condition();
  }
}
