import type { IssuerKeys } from "./issuer-keys.ts";
import { IssuerPool, type MatchedIssuer } from "./issuer-pool.ts";
import type { IssuerSettings } from "./issuer-settings.ts";
import { issuerMatcher, plainHttpWarning } from "./issuer-url.ts";

/**
 * The issuers as they were last configured. They are replaced all at once; a request takes its issuer once and keeps
 * it, with all its rules, to its end.
 */
export class CurrentIssuers {
  readonly #keys: IssuerKeys;
  readonly #warn: (text: string) => void;
  #settings: readonly IssuerSettings[];
  #pool: IssuerPool;
  /** By URL or pattern, those of before included: their certificates are still in the ledger. */
  readonly #federated = new Map<string, (issuer: string) => boolean>();

  /** Misconfigured unless every issuer can do its work. */
  constructor(
    settings: readonly IssuerSettings[],
    keys: IssuerKeys,
    warn: (text: string) => void = () => {},
    onceFederated: readonly string[] = [],
  ) {
    this.#keys = keys;
    this.#warn = warn;
    this.#pool = new IssuerPool(settings);
    this.#settings = settings;
    for (const url of onceFederated) this.#federated.set(url, issuerMatcher(url));
    this.#rememberFederated();
    this.#warnOfPlainHttp();
  }

  get settings(): readonly IssuerSettings[] {
    return this.#settings;
  }

  match(issuer: string): MatchedIssuer {
    return this.#pool.match(issuer);
  }

  /** Misconfigured if they cannot all do their work: then the old ones stay, whole. Known keys are kept. */
  replace(settings: readonly IssuerSettings[]): void {
    this.#pool = new IssuerPool(settings);
    this.#settings = settings;
    this.#rememberFederated();
    this.#warnOfPlainHttp();
    this.#keys.keepOnly(settings);
  }

  /**
   * Whether certificates for tokens of this issuer name another one, by `issuer-claim`: as configured at any time since the
   * start, or before by the operator's word. The ledger is not asked, whose rows are held by this.
   */
  readonly isFederated = (issuer: string): boolean => [...this.#federated.values()].some((isIt) => isIt(issuer));

  #warnOfPlainHttp(): void {
    for (const warning of this.#settings.map(plainHttpWarning)) if (warning !== undefined) this.#warn(warning);
  }

  #rememberFederated(): void {
    for (const { url, issuerClaim } of this.#settings) {
      if (issuerClaim !== undefined) this.#federated.set(url, issuerMatcher(url));
    }
  }
}
