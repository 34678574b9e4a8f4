import {
  decodeBase64,
  decodeBase64Lenient,
  equalBytes,
  type JsonObject,
  type JsonValue,
  parseJson,
} from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { type Certificate, parseCertificate } from "../certificate/certificate.ts";
import { fingerprint, parsePublicKey, parsePublicKeyPem, type PublicKey } from "./public-key.ts";

/** Whose word a key is. */
export type KeySource =
  /** A person put it into this browser. */
  | "pasted"
  /** From this server at an earlier visit, and kept since. */
  | "pinned"
  /** From this server, now: it could be the key of whoever answers. */
  | "server";

export interface TrustedKey {
  readonly key: PublicKey;
  readonly source: KeySource;
  readonly label: string;
  readonly validFor?: Validity;
}

/** From when to when a trusted root believes it. */
export interface Validity {
  readonly start?: string;
  readonly end?: string;
}

export interface TrustedAuthority {
  /** What signs certificates comes first, the root last. */
  readonly chain: readonly Certificate[];
  readonly source: KeySource;
  readonly validFor?: Validity;
}

/** Whom the reader believes. */
export interface TrustedParties {
  /** Of logs of any kind: what signs checkpoints. */
  readonly logKeys: readonly TrustedKey[];
  /** Of those that log certificates: what signs their timestamps. */
  readonly ctLogKeys: readonly TrustedKey[];
  readonly authorities: readonly TrustedAuthority[];
  readonly timestampAuthorities: readonly TrustedAuthority[];
}

export const NOBODY: TrustedParties = { logKeys: [], ctLogKeys: [], authorities: [], timestampAuthorities: [] };

/** A Sigstore trusted_root.json. */
export function parseTrustedRoot(json: string, source: KeySource): TrustedParties {
  const root = asObject(parseJson(json, "trusted root"));
  const ctLogKeys = readLogs(root["ctlogs"], source);
  return {
    logKeys: [...readLogs(root["tlogs"], source), ...ctLogKeys],
    ctLogKeys,
    authorities: readAuthorities(root["certificateAuthorities"], source),
    timestampAuthorities: readAuthorities(root["timestampAuthorities"], source),
  };
}

function readLogs(logs: JsonValue | undefined, source: KeySource): TrustedKey[] {
  return asList(logs).flatMap(({ baseUrl, publicKey }) => {
    const { rawBytes, validFor } = asObject(publicKey);
    if (typeof rawBytes !== "string") return [];
    const key = parsePublicKey(decodeBase64(rawBytes, "trusted root: key"), "trusted root: key");
    return [{ key, source, label: typeof baseUrl === "string" ? baseUrl : "log", validFor: readValidity(validFor) }];
  });
}

function readAuthorities(authorities: JsonValue | undefined, source: KeySource): TrustedAuthority[] {
  return asList(authorities).map(({ certChain, validFor }) => {
    const chain = asList(asObject(certChain)["certificates"]).flatMap(({ rawBytes }) => {
      const field = "trusted root: certificate";
      return typeof rawBytes === "string" ? [parseCertificate(decodeBase64Lenient(rawBytes, field), field)] : [];
    });
    return { chain, source, validFor: readValidity(validFor) };
  });
}

/** Fractions of a second do not count: a log's promise of a time has none. */
export function isBefore(at: number, { start }: Validity): boolean {
  return start !== undefined && Math.floor(at / 1000) < Math.floor(Date.parse(start) / 1000);
}

export function isAfter(at: number, { end }: Validity): boolean {
  return end !== undefined && Math.floor(at / 1000) > Math.floor(Date.parse(end) / 1000);
}

/** What a person pastes or drops: a PEM of keys, or a trusted root. */
export function parseTrustedText(text: string): TrustedParties {
  if (text.trimStart().startsWith("{")) return parseTrustedRoot(text, "pasted");
  const logKeys = [{ key: parsePublicKeyPem(text, "key"), source: "pasted" as const, label: "pasted key" }];
  return { ...NOBODY, logKeys };
}

/**
 * Whoever put keys, or authorities, into this browser wants those and no others: what the server says is then not asked,
 * but for the end of a key: who keeps one would never hear of it, and it can take trust away alone. Otherwise its own trusted root has to do. It stands there with its source, so that each step says by whose word it is.
 */
export function effectiveParties(own: TrustedParties, server: TrustedParties): TrustedParties {
  return {
    logKeys: ownIfAny(ended(own.logKeys, server.logKeys), server.logKeys),
    ctLogKeys: ownIfAny(ended(own.ctLogKeys, server.ctLogKeys), server.ctLogKeys),
    authorities: ownIfAny(own.authorities, server.authorities),
    timestampAuthorities: ownIfAny(own.timestampAuthorities, server.timestampAuthorities),
  };
}

function ownIfAny<T>(own: readonly T[], server: readonly T[]): readonly T[] {
  return own.length === 0 ? server : own;
}

function ended(own: readonly TrustedKey[], server: readonly TrustedKey[]): readonly TrustedKey[] {
  return own.map((one) => {
    const same = server.filter(({ key }) => equalBytes(key.spki, one.key.spki));
    const ends = same.map(({ validFor }) => validFor?.end);
    // Believed again later: its last end counts, and none where it goes on.
    const told = ends.includes(undefined)
      ? undefined
      : ends.toSorted((a, b) => Date.parse(a ?? "") - Date.parse(b ?? "")).at(-1);
    const { end } = one.validFor ?? {};
    if (told === undefined || (end !== undefined && Date.parse(end) <= Date.parse(told))) return one;
    return { ...one, validFor: { ...one.validFor, end: told } };
  });
}

/** With what is added: each key and each authority once; what was put in last names it. */
export function joinedParties(own: TrustedParties, more: TrustedParties): TrustedParties {
  return {
    logKeys: eachKeyOnce([...own.logKeys, ...more.logKeys]),
    ctLogKeys: eachKeyOnce([...own.ctLogKeys, ...more.ctLogKeys]),
    authorities: eachAuthorityOnce([...own.authorities, ...more.authorities]),
    timestampAuthorities: eachAuthorityOnce([...own.timestampAuthorities, ...more.timestampAuthorities]),
  };
}

function eachKeyOnce(keys: readonly TrustedKey[]): TrustedKey[] {
  return [...new Map(keys.map((one) => [fingerprint(one.key).toHex(), one])).values()];
}

function eachAuthorityOnce(authorities: readonly TrustedAuthority[]): TrustedAuthority[] {
  const named = authorities.flatMap((one) => {
    const [issuer] = one.chain;
    return issuer === undefined ? [] : [[issuer.der.toHex(), one] as const];
  });
  return [...new Map(named).values()];
}

/** What of the verdict is this server's word alone; undefined where the reader believes only their own. */
export function serversWord(
  logKey: TrustedKey | undefined,
  authority: TrustedAuthority | undefined,
): string | undefined {
  const isServersKey = logKey?.source === "server";
  if (authority?.source !== "server") return isServersKey ? "The log's key came from this server" : undefined;
  return isServersKey
    ? "The log's key and the certificate authority came from this server"
    : "Who signed it is by this server's word, as the certificate authority came from it";
}

function readValidity(validFor: JsonValue | undefined): Validity {
  const { start, end } = asObject(validFor);
  return { ...readTime("start", start), ...readTime("end", end) };
}

/** A key whose end cannot be read would never end. */
function readTime(name: "start" | "end", time: JsonValue | undefined): Validity {
  if (time === undefined || time === null) return {};
  if (typeof time !== "string" || Number.isNaN(Date.parse(time))) {
    throw new Malformed(`trusted root: validFor.${name} is not a time`);
  }
  return { [name]: time };
}

function asObject(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function asList(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.map(asObject) : [];
}
