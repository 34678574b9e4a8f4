import { decodeBase64, encodeBase64, parseJson } from "@chancery/encoding";
import { parseCertificate } from "../certificate/certificate.ts";
import { parsePublicKey } from "./public-key.ts";
import type { KeySource, TrustedAuthority, TrustedKey, TrustedParties } from "./trusted-keys.ts";

const KEYS = "chancery.log-keys";
const AUTHORITIES = "chancery.authorities";

type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** What was put or pinned into this browser. Whatever else stands there is passed over. */
export function keptParties(storage: Kept): TrustedParties {
  return {
    logKeys: readList(storage, KEYS, readKey),
    authorities: readList(storage, AUTHORITIES, readAuthority),
  };
}

export function keepParties(storage: Kept, { logKeys, authorities }: TrustedParties): void {
  const keys = logKeys.map(({ key, source, label }) => ({ spki: encodeBase64(key.spki), source, label }));
  writeList(storage, KEYS, keys);
  const chains = authorities.map(({ chain, source }) => ({ chain: chain.map(({ der }) => encodeBase64(der)), source }));
  writeList(storage, AUTHORITIES, chains);
}

function readList<T>(storage: Kept, name: string, read: (value: unknown) => T): T[] {
  try {
    const stored = parseJson(storage.getItem(name) ?? "[]", "kept keys");
    return Array.isArray(stored) ? stored.map(read) : [];
  } catch {
    return [];
  }
}

function writeList(storage: Kept, name: string, values: readonly object[]): void {
  if (values.length === 0) storage.removeItem(name);
  else storage.setItem(name, JSON.stringify(values));
}

function readKey(value: unknown): TrustedKey {
  const { spki, source, label } = value as Record<"spki" | "source" | "label", unknown>;
  if (typeof spki !== "string" || typeof label !== "string") throw new TypeError("not a kept key");
  return { key: parsePublicKey(decodeBase64(spki, "kept key"), "kept key"), source: keptSource(source), label };
}

function readAuthority(value: unknown): TrustedAuthority {
  const { chain, source } = value as Record<"chain" | "source", unknown>;
  if (!Array.isArray(chain)) throw new TypeError("not a kept authority");
  const field = "kept authority";
  const certificates = chain.map((der) => parseCertificate(decodeBase64(String(der), field), field));
  return { chain: certificates, source: keptSource(source) };
}

function keptSource(source: unknown): KeySource {
  return source === "pasted" ? "pasted" : "pinned";
}
