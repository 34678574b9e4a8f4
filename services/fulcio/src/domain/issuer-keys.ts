import { Unavailable } from "@chancery/fault";
import { discoveryUrl, type DocumentSource, parseDiscovery, parseKeySet } from "./discovery.ts";
import type { ConcreteIssuer } from "./issuer-settings.ts";
import { hostOf } from "./subject-domain.ts";
import type { KeySet } from "./token-signature.ts";

/** Milliseconds. */
const MINUTE = 60_000;
/** One load, discovery and keys together. */
const LOAD_TIMEOUT = 10_000;
/** An issuer is asked at most this often, whatever the reason: unknown keys, failures, a storm of either. */
const ASK_INTERVAL = 10_000;
/** From this age keys are renewed in the background, so that no request waits for it. */
const RENEW_AFTER = 5 * MINUTE;
/** From this age a request waits for new keys: a key that was withdrawn is refused after at most ten minutes. */
const STALE_AFTER = 10 * MINUTE;
/** How long keys outlive an issuer that cannot be asked. */
const KEEP_FOR = 60 * MINUTE;
const REDISCOVER_AFTER = 60 * MINUTE;

/** Issuers behind patterns whose keys are kept; upstream keeps as many. */
const MAX_PATTERN_ISSUERS = 100;
/** First loads under way for issuers behind patterns: the sender of a token chooses which of them is asked. */
const MAX_FIRST_LOADS = 16;
/** And of those at one host: a tenant whose host is slow must leave room for all others. */
const MAX_FIRST_LOADS_OF_HOST = 4;

/** What is known of one issuer's keys. */
interface Entry {
  keys?: KeySet;
  /** When `keys` were loaded. */
  loadedAt: number;
  askedAt: number;
  jwksUri?: { readonly url: URL; readonly foundAt: number };
  failure?: Error;
  load?: Promise<void>;
}

/**
 * The keys of the issuers that tokens name, kept apart by issuer: no issuer's answer can change
 * another's keys.
 */
export class IssuerKeys {
  readonly #documents: DocumentSource;
  readonly #clock: () => number;
  readonly #mayUseLoopbackHttp: boolean;
  readonly #exact = new Map<string, Entry>();
  /** In the order of last use. */
  readonly #patterned = new Map<string, Entry>();
  /** The host of each first load under way. */
  readonly #firstLoads: string[] = [];

  constructor(documents: DocumentSource, clock: () => number, mayUseLoopbackHttp: boolean) {
    this.#documents = documents;
    this.#clock = clock;
    this.#mayUseLoopbackHttp = mayUseLoopbackHttp;
  }

  /** The issuer's keys, loaded if need be. Unavailable if it cannot be asked and nothing recent is known. */
  async current(issuer: ConcreteIssuer): Promise<KeySet> {
    const entry = this.#entry(issuer);
    const age = this.#clock() - entry.loadedAt;
    if (entry.keys !== undefined && age < RENEW_AFTER) return entry.keys;
    const renewal = this.#ask(issuer, entry);
    // While an issuer does not answer, no request waits for it that older keys can serve.
    const canServe = entry.keys !== undefined && age < KEEP_FOR;
    const mustWait = !canServe || (age >= STALE_AFTER && entry.failure === undefined);
    if (mustWait) await renewal;
    const newAge = this.#clock() - entry.loadedAt;
    if (entry.keys !== undefined && newAge < KEEP_FOR) return entry.keys;
    throw this.#unavailable(entry);
  }

  /**
   * Keys loaded after `known`, which did not verify a token; undefined if there are none to be had now. Whoever
   * sends tokens with invented key IDs causes one request to their issuer in ten seconds, and no more.
   */
  async newerThan(known: KeySet, issuer: ConcreteIssuer): Promise<KeySet | undefined> {
    const entry = this.#entry(issuer);
    if (entry.keys === known) await this.#ask(issuer, entry);
    if (entry.keys !== known) return entry.keys;
    // The token may be signed with a key that the issuer has and we cannot see.
    if (entry.failure !== undefined) throw this.#unavailable(entry);
    return undefined;
  }

  #entry(issuer: ConcreteIssuer): Entry {
    const entries = issuer.settings.isPattern ? this.#patterned : this.#exact;
    const entry = entries.get(issuer.url) ?? { loadedAt: -Infinity, askedAt: -Infinity };
    entries.delete(issuer.url);
    entries.set(issuer.url, entry);
    if (this.#patterned.size > MAX_PATTERN_ISSUERS) this.#forgetOne();
    return entry;
  }

  /** Those without keys go first: tokens of invented issuers must not push real ones out. */
  #forgetOne(): void {
    const [oldest] = this.#patterned.keys();
    const [keyless] = [...this.#patterned].slice(0, -1).find(([, entry]) => entry.keys === undefined) ?? [oldest];
    if (keyless !== undefined) this.#patterned.delete(keyless);
  }

  /** Loads the keys anew, unless that was tried just now; everyone who asks meanwhile waits for the same load. */
  async #ask(issuer: ConcreteIssuer, entry: Entry): Promise<void> {
    if (entry.load !== undefined) return entry.load;
    if (this.#clock() - entry.askedAt < ASK_INTERVAL) return;
    // Issuers whose keys are known are few and real: whoever invents others cannot hold up their renewal.
    const isFirst = issuer.settings.isPattern && entry.keys === undefined;
    if (isFirst) this.#assertRoomFor(hostOf(issuer.url).toLowerCase());
    entry.askedAt = this.#clock();
    entry.load = isFirst ? this.#firstLoad(issuer, entry) : this.#load(issuer, entry);
    await entry.load;
  }

  #assertRoomFor(host: string): void {
    const atHost = this.#firstLoads.filter((other) => other === host).length;
    if (this.#firstLoads.length < MAX_FIRST_LOADS && atHost < MAX_FIRST_LOADS_OF_HOST) return;
    throw new Unavailable("too many issuers are being asked for their keys", 1);
  }

  async #firstLoad(issuer: ConcreteIssuer, entry: Entry): Promise<void> {
    const host = hostOf(issuer.url).toLowerCase();
    this.#firstLoads.push(host);
    await this.#load(issuer, entry);
    this.#firstLoads.splice(this.#firstLoads.indexOf(host), 1);
  }

  /** Never rejects: it may run with nobody waiting. What went wrong stays in the entry. */
  async #load(issuer: ConcreteIssuer, entry: Entry): Promise<void> {
    try {
      const signal = AbortSignal.timeout(LOAD_TIMEOUT);
      const url = await this.#jwksUri(issuer, entry, signal);
      entry.keys = parseKeySet(await this.#documents(url, issuer, signal));
      entry.loadedAt = this.#clock();
      delete entry.failure;
    } catch (error) {
      entry.failure = error instanceof Error ? error : new Error(String(error));
      delete entry.jwksUri;
    } finally {
      delete entry.load;
    }
  }

  async #jwksUri(issuer: ConcreteIssuer, entry: Entry, signal: AbortSignal): Promise<URL> {
    const now = this.#clock();
    if (entry.jwksUri !== undefined && now - entry.jwksUri.foundAt < REDISCOVER_AFTER) return entry.jwksUri.url;
    const document = await this.#documents(discoveryUrl(issuer), issuer, signal);
    const url = parseDiscovery(document, issuer, this.#mayUseLoopbackHttp);
    entry.jwksUri = { url, foundAt: now };
    return url;
  }

  /** Upstream answers 400, which clients do not try again; the token may be good, so we answer 503. */
  #unavailable(entry: Entry): Unavailable {
    const wait = Math.ceil((entry.askedAt + ASK_INTERVAL - this.#clock()) / 1000);
    const cause = entry.failure;
    return new Unavailable("the issuer cannot be asked for its keys", Math.max(wait, 1), { cause });
  }
}
