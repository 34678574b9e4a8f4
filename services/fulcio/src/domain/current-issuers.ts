import type { IssuerKeys } from "./issuer-keys.ts";
import { IssuerPool, type MatchedIssuer } from "./issuer-pool.ts";
import type { IssuerSettings } from "./issuer-settings.ts";

/**
 * The issuers as they were last configured. They are replaced all at once; a request takes its issuer once and keeps
 * it, with all its rules, to its end.
 */
export class CurrentIssuers {
  readonly #keys: IssuerKeys;
  readonly #mayUseLoopbackHttp: boolean;
  #settings: readonly IssuerSettings[];
  #pool: IssuerPool;

  /** Misconfigured unless every issuer can do its work. */
  constructor(settings: readonly IssuerSettings[], keys: IssuerKeys, mayUseLoopbackHttp: boolean) {
    this.#keys = keys;
    this.#mayUseLoopbackHttp = mayUseLoopbackHttp;
    this.#pool = new IssuerPool(settings, mayUseLoopbackHttp);
    this.#settings = settings;
  }

  get settings(): readonly IssuerSettings[] {
    return this.#settings;
  }

  match(issuer: string): MatchedIssuer {
    return this.#pool.match(issuer);
  }

  /** Misconfigured if they cannot all do their work: then the old ones stay, whole. Known keys are kept. */
  replace(settings: readonly IssuerSettings[]): void {
    this.#pool = new IssuerPool(settings, this.#mayUseLoopbackHttp);
    this.#settings = settings;
    this.#keys.keepOnly(settings);
  }
}
