import { equalBytes } from "@chancery/encoding";
import { sha256 } from "@chancery/crypto";
import { encodeHex, utf8 } from "@chancery/encoding";
import { Unavailable } from "@chancery/fault";
import { type KeySet, parseKeySet } from "@chancery/identity";
import { configuredKeysUrl, discoveryUrl, type DocumentSource, parseDiscovery } from "./discovery.ts";
import type { ConcreteIssuer, IssuerSettings } from "./issuer-settings.ts";
import { hostOf } from "./subject-domain.ts";

/** Milliseconds. */
const MINUTE = 60_000;
/** One load, discovery and keys together. */
const LOAD_TIMEOUT = 10_000;

/** How often keys are asked for, in milliseconds. */
interface Pace {
  /** At most this often, whatever the reason: unknown keys, failures, a storm of either. */
  readonly askInterval: number;
  /** From this age keys are renewed in the background, so that no request waits for it. */
  readonly renewAfter: number;
  /** From this age a request waits for new keys: a key that was withdrawn is refused after at most this time. */
  readonly staleAfter: number;
  /** How long keys outlive an issuer that cannot be asked, unless its settings say otherwise. */
  readonly keepFor: number;
}

const ISSUER: Pace = {
  askInterval: 10_000,
  renewAfter: 5 * MINUTE,
  staleAfter: 10 * MINUTE,
  keepFor: 60 * MINUTE,
};
/** A file is read when a request finds it a second old; one that is damaged changes nothing. */
const FILE: Pace = { askInterval: 1_000, renewAfter: 1_000, staleAfter: 1_000, keepFor: Infinity };

const REDISCOVER_AFTER = 60 * MINUTE;

/** Issuers behind patterns whose keys are kept; upstream keeps as many. */
const MAX_PATTERN_ISSUERS = 100;
/** First loads under way for issuers behind patterns: the sender of a token chooses which of them is asked. */
const MAX_FIRST_LOADS = 16;
/** And of those at one host: a tenant whose host is slow must leave room for all others. */
const MAX_FIRST_LOADS_OF_HOST = 4;

/** What is known of one issuer's keys. */
interface Entry {
  /** From where, and trusting whom: keys of an issuer that is reached otherwise now are not its keys. */
  readonly source: string;
  keys?: KeySet;
  /** SHA-256 of what `keys` were read from. */
  digest?: Uint8Array;
  /** When `keys` were loaded. */
  loadedAt: number;
  askedAt: number;
  jwksUri?: { readonly url: URL; readonly foundAt: number };
  failure?: Error;
  load?: Promise<void>;
}

/** Told once of each reason why a configured issuer's keys cannot be renewed. */
export type KeyNotice = (text: string) => void;

/**
 * The keys of the issuers that tokens name, kept apart by issuer: no issuer's answer can change
 * another's keys.
 */
export class IssuerKeys {
  readonly #documents: DocumentSource;
  readonly #clock: () => number;
  readonly #mayUseLoopbackHttp: boolean;
  readonly #notice: KeyNotice;
  readonly #exact = new Map<string, Entry>();
  /** In the order of last use. */
  readonly #patterned = new Map<string, Entry>();
  /** The host of each first load under way. */
  readonly #firstLoads: string[] = [];

  constructor(
    documents: DocumentSource,
    clock: () => number,
    mayUseLoopbackHttp: boolean,
    notice: KeyNotice = () => undefined,
  ) {
    this.#documents = documents;
    this.#clock = clock;
    this.#mayUseLoopbackHttp = mayUseLoopbackHttp;
    this.#notice = notice;
  }

  /** The issuer's keys, loaded if need be. Unavailable if it cannot be asked and nothing recent is known. */
  async current(issuer: ConcreteIssuer): Promise<KeySet> {
    const { keys: location } = issuer.settings;
    if (location?.type === "inline") return location.keySet;
    const entry = this.#entry(issuer);
    const pace = paceOf(issuer);
    const age = this.#clock() - entry.loadedAt;
    if (entry.keys !== undefined && age < pace.renewAfter) return entry.keys;
    const renewal = this.#ask(issuer, entry);
    // While an issuer does not answer, no request waits for it that older keys can serve.
    const canServe = entry.keys !== undefined && age < pace.keepFor;
    const mustWait = !canServe || (age >= pace.staleAfter && entry.failure === undefined);
    if (mustWait) await renewal;
    const newAge = this.#clock() - entry.loadedAt;
    if (entry.keys !== undefined && newAge < pace.keepFor) return entry.keys;
    throw this.#unavailable(entry, pace);
  }

  /**
   * Keys loaded after `known`, which did not verify a token; undefined if there are none to be had now. Whoever
   * sends tokens with invented key IDs causes one request to their issuer in ten seconds, and no more.
   */
  async newerThan(known: KeySet, issuer: ConcreteIssuer): Promise<KeySet | undefined> {
    if (issuer.settings.keys?.type === "inline") return undefined;
    const entry = this.#entry(issuer);
    if (entry.keys === known) await this.#ask(issuer, entry);
    if (entry.keys !== known) return entry.keys;
    // The token may be signed with a key that the issuer has and we cannot see.
    if (entry.failure !== undefined) throw this.#unavailable(entry, paceOf(issuer));
    return undefined;
  }

  /** Forgets the keys of all issuers but these. */
  keepOnly(settings: readonly IssuerSettings[]): void {
    const sources = new Set(settings.map(sourceOf));
    for (const entries of [this.#exact, this.#patterned]) {
      for (const [name, { source }] of entries) if (!sources.has(source)) entries.delete(name);
    }
  }

  #entry(issuer: ConcreteIssuer): Entry {
    const entries = issuer.settings.isPattern ? this.#patterned : this.#exact;
    const source = sourceOf(issuer.settings);
    // Two sources of one issuer are there at once only while its settings are being replaced.
    const name = `${issuer.url} ${source}`;
    const entry = entries.get(name) ?? { source, loadedAt: -Infinity, askedAt: -Infinity };
    entries.delete(name);
    entries.set(name, entry);
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
    if (this.#clock() - entry.askedAt < paceOf(issuer).askInterval) return;
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
      const document = await beforeAbort(signal, this.#keysDocument(issuer, entry, signal));
      // The same keys again stay the same set: what was imported for verifying is not imported anew.
      const digest = sha256(document);
      if (entry.digest === undefined || !equalBytes(digest, entry.digest)) entry.keys = parseKeySet(document);
      entry.digest = digest;
      entry.loadedAt = this.#clock();
      delete entry.failure;
    } catch (error) {
      this.#fail(issuer, entry, error instanceof Error ? error : new Error(String(error)));
    } finally {
      delete entry.load;
    }
  }

  async #keysDocument(issuer: ConcreteIssuer, entry: Entry, signal: AbortSignal): Promise<Uint8Array> {
    const url = configuredKeysUrl(issuer) ?? (await this.#jwksUri(issuer, entry, signal));
    return await this.#documents(url, issuer, signal);
  }

  #fail(issuer: ConcreteIssuer, entry: Entry, failure: Error): void {
    // Who invents tenants does not write our log.
    if (!issuer.settings.isPattern && entry.failure?.message !== failure.message) {
      const rest = entry.keys === undefined ? "none are known" : "those known before stay in use";
      this.#notice(`the keys of ${issuer.url} cannot be renewed: ${failure.message}; ${rest}`);
    }
    entry.failure = failure;
    delete entry.jwksUri;
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
  #unavailable(entry: Entry, pace: Pace): Unavailable {
    const wait = Math.ceil((entry.askedAt + pace.askInterval - this.#clock()) / 1000);
    const cause = entry.failure;
    return new Unavailable("the issuer cannot be asked for its keys", Math.max(wait, 1), { cause });
  }
}

/** A source that does not keep to its signal must not hold an issuer, or a place among the first loads, for ever. */
async function beforeAbort<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(new Unavailable("the issuer did not answer in time", 10));
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function paceOf({ settings: { keys, keepKeysFor: keepFor } }: ConcreteIssuer): Pace {
  const usual = keys?.type === "file" ? FILE : ISSUER;
  return keepFor === undefined ? usual : { ...usual, keepFor };
}

const sources = new WeakMap<IssuerSettings, string>();

/** All that decides what an issuer's keys are, and nothing of what is done with them. */
function sourceOf(settings: IssuerSettings): string {
  const known = sources.get(settings);
  if (known !== undefined) return known;
  const { url, isPattern, type, keys, caCertificates, caFile, clientCertificate, tokenFile } = settings;
  const location = keys?.type === "inline" ? { type: "inline" } : keys;
  const decisive = [
    url,
    isPattern,
    type === "kubernetes",
    location,
    caCertificates,
    caFile,
    clientCertificate,
    tokenFile,
  ];
  const source = encodeHex(sha256(utf8(JSON.stringify(decisive))));
  sources.set(settings, source);
  return source;
}
