import { parsePem } from "@chancery/encoding";
import { isObject, isText } from "../json-member.ts";
import { sha256 } from "../merkle.ts";
import type { RootKeys } from "./tuf.ts";

/** What the trust root signs for, by name. */
export type Targets = ReadonlyMap<string, Uint8Array>;

/** Somebody or something that clients are told to trust. */
export interface TrustedParty {
  readonly kind: string;
  /** SHA-256 of a key, a chain or a file; or a URL. */
  readonly id: string;
  readonly url: string;
  /** From when to when, in milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
}

const ALWAYS = { start: 0, end: Number.MAX_SAFE_INTEGER };
const MOST_CHARACTERS = 200;
const ROOT = "trusted_root.json";
const SIGNING_CONFIG = /^signing_config\.[\w.]+\.json$/;
/** By what name people know what a member of the trusted root lists. */
const LOGS = { tlogs: "log key", ctlogs: "CT log key" } as const;
const AUTHORITIES = {
  certificateAuthorities: "certificate authority",
  timestampAuthorities: "timestamp authority",
} as const;
const SERVICES = ["caUrls", "oidcUrls", "rekorTlogUrls", "tsaUrls"] as const;

/**
 * All that targets of the trust root have clients trust: keys and chains of the trusted root, URLs that signers turn to, and
 * what older clients load as a target of its own, where the trusted root does not have it too.
 */
export function trustedParties(targets: Targets): TrustedParty[] {
  const root = jsonOf(targets.get(ROOT));
  const parties = [...logs(root), ...authorities(root)];
  const ids = new Set([...parties.map(({ id }) => id), ...certificates(root).map((der) => sha256(der).toHex())]);
  for (const [name, bytes] of targets) {
    if (name === ROOT) continue;
    const config = isSigningConfig(name) ? configOf(bytes) : undefined;
    if (config !== undefined) parties.push(...services(config));
    else parties.push(...singles(name, bytes).filter(({ id }) => !ids.has(id)));
  }
  return parties;
}

export type TrustedMember = keyof typeof LOGS | keyof typeof AUTHORITIES;

export function isSigningConfig(name: string): boolean {
  return SIGNING_CONFIG.test(name);
}

/** SHA-256 of each key or certificate that the trusted root lists there; of those whose window is open alone, if there are. */
export function trustedDer(
  targets: Targets,
  member: TrustedMember,
  { isCurrent }: { readonly isCurrent: boolean },
): ReadonlySet<string> {
  const all = listOf(jsonOf(targets.get(ROOT)), member);
  const isLog = member in LOGS;
  const isOpen = (one: unknown) => {
    const validFor = memberOf(isLog ? memberOf(one, "publicKey") : one, "validFor");
    return windowOf(validFor).end === ALWAYS.end;
  };
  const open = isCurrent ? all.filter(isOpen) : [];
  const ders = (open.length > 0 ? open : all).flatMap((one) => (isLog ? [keyOf(one)] : chainOf(one)));
  return new Set(ders.map((der) => sha256(der).toHex()));
}

/** Who may say whom clients trust. */
export function trustingParties({ roles }: RootKeys): TrustedParty[] {
  const { start, end } = ALWAYS;
  return Object.entries(roles).flatMap(([role, { keys }]) => {
    const kind = `signer of the trust root's ${role}`;
    const ids = [...keys.values()].map((key) => sha256(Buffer.from(key)).toHex());
    return ids.map((id) => ({ kind, id, url: `${role}.json`, start, end }));
  });
}

/** Whether what is trusted is as much as this, or more. */
export function isCovered(party: TrustedParty, by: readonly TrustedParty[]): boolean {
  return by.some(
    ({ kind, id, start, end }) => kind === party.kind && id === party.id && start <= party.start && party.end <= end,
  );
}

function* logs(root: unknown): Iterable<TrustedParty> {
  for (const [member, kind] of Object.entries(LOGS)) {
    for (const log of listOf(root, member)) {
      const id = sha256(keyOf(log)).toHex();
      yield { kind, id, url: textOf(log, "baseUrl"), ...windowOf(memberOf(memberOf(log, "publicKey"), "validFor")) };
    }
  }
}

function* authorities(root: unknown): Iterable<TrustedParty> {
  for (const [member, kind] of Object.entries(AUTHORITIES)) {
    for (const authority of listOf(root, member)) {
      const id = sha256(Buffer.concat(chainOf(authority))).toHex();
      yield { kind, id, url: textOf(authority, "uri"), ...windowOf(memberOf(authority, "validFor")) };
    }
  }
}

function certificates(root: unknown): Uint8Array[] {
  return Object.keys(AUTHORITIES).flatMap((member) => listOf(root, member).flatMap(chainOf));
}

function keyOf(log: unknown): Uint8Array {
  return Buffer.from(textOf(memberOf(log, "publicKey"), "rawBytes"), "base64");
}

function chainOf(authority: unknown): Uint8Array[] {
  const chain = listOf(memberOf(authority, "certChain"), "certificates");
  return chain.map((one) => Buffer.from(textOf(one, "rawBytes"), "base64"));
}

/** Whoever answers there is given tokens, and what is signed. */
function services(config: unknown): TrustedParty[] {
  const urls = SERVICES.flatMap((member) => listOf(config, member).map((service) => textOf(service, "url")));
  const origins = new Set(urls.map((url) => shortened(URL.parse(url)?.origin ?? url)));
  const { start, end } = ALWAYS;
  return [...origins].map((id) => ({ kind: "URL for signers", id, url: id, start, end }));
}

/** Keys and certificates in a file of their own; any other file as it is. */
function singles(name: string, bytes: Uint8Array): TrustedParty[] {
  const party = (one: Uint8Array) => ({ kind: "target", id: sha256(one).toHex(), url: shortened(name), ...ALWAYS });
  try {
    const blocks = parsePem(Buffer.from(bytes).toString("utf8"), name, { labels: ["PUBLIC KEY", "CERTIFICATE"] });
    return blocks.map(({ der }) => party(der));
  } catch {
    return [party(bytes)];
  }
}

function windowOf(validFor: unknown): { readonly start: number; readonly end: number } {
  const [start, end] = [Date.parse(textOf(validFor, "start")), Date.parse(textOf(validFor, "end"))];
  return { start: Number.isNaN(start) ? ALWAYS.start : start, end: Number.isNaN(end) ? ALWAYS.end : end };
}

function jsonOf(bytes: Uint8Array | undefined): unknown {
  return bytes === undefined ? undefined : JSON.parse(Buffer.from(bytes).toString("utf8"));
}

/** Undefined: it is no configuration, and any other file then, so that it hides nothing that stands in others. */
function configOf(bytes: Uint8Array): unknown {
  try {
    return jsonOf(bytes);
  } catch {
    return undefined;
  }
}

/** Clients take a member by either name that Protocol Buffers give it in JSON: `caUrls` and `ca_urls`. */
function namesOf(name: string): readonly string[] {
  return [name, name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];
}

function memberOf(value: unknown, name: string): unknown {
  const found = namesOf(name).find((one) => isObject(value) && value[one] !== undefined);
  return found !== undefined && isObject(value) ? value[found] : undefined;
}

function listOf(value: unknown, name: string): readonly unknown[] {
  const lists = [...new Set(namesOf(name))].map((one) => (isObject(value) ? value[one] : undefined));
  return lists.flatMap((list): readonly unknown[] => (Array.isArray(list) ? list : []));
}

function textOf(value: unknown, name: string): string {
  const text = memberOf(value, name);
  return isText(text) ? text : "";
}

function shortened(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
