import { decodeBase64, encodeBase64, parseJson } from "@chancery/encoding";
import { parseCertificate } from "../certificate/certificate.ts";
import { parsePublicKey } from "./public-key.ts";
import type { KeySource, TrustedAuthority, TrustedKey, TrustedParties, Validity } from "./trusted-keys.ts";

const KEYS = "chancery.log-keys";
const CT_KEYS = "chancery.ct-log-keys";
const AUTHORITIES = "chancery.authorities";
const TIMESTAMP_AUTHORITIES = "chancery.timestamp-authorities";

type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** What was put or pinned into this browser. Whatever else stands there is passed over. */
export function keptParties(storage: Kept): TrustedParties {
  return {
    logKeys: readList(storage, KEYS, readKey),
    ctLogKeys: readList(storage, CT_KEYS, readKey),
    authorities: readList(storage, AUTHORITIES, readAuthority),
    timestampAuthorities: readList(storage, TIMESTAMP_AUTHORITIES, readAuthority),
  };
}

export function keepParties(storage: Kept, parties: TrustedParties): void {
  writeList(storage, KEYS, parties.logKeys.map(writtenKey));
  writeList(storage, CT_KEYS, parties.ctLogKeys.map(writtenKey));
  writeList(storage, AUTHORITIES, parties.authorities.map(writtenAuthority));
  writeList(storage, TIMESTAMP_AUTHORITIES, parties.timestampAuthorities.map(writtenAuthority));
}

function writtenKey({ key, source, label, validFor }: TrustedKey) {
  return { spki: encodeBase64(key.spki), source, label, validFor };
}

function writtenAuthority({ chain, source, validFor }: TrustedAuthority) {
  return { chain: chain.map(({ der }) => encodeBase64(der)), source, validFor };
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
  const { spki, source, label, validFor } = value as Record<"spki" | "source" | "label" | "validFor", unknown>;
  if (typeof spki !== "string" || typeof label !== "string") throw new TypeError("not a kept key");
  const key = parsePublicKey(decodeBase64(spki, "kept key"), "kept key");
  return { key, source: keptSource(source), label, ...(isValidity(validFor) && { validFor }) };
}

function readAuthority(value: unknown): TrustedAuthority {
  const { chain, source, validFor } = value as Record<"chain" | "source" | "validFor", unknown>;
  if (!Array.isArray(chain)) throw new TypeError("not a kept authority");
  const field = "kept authority";
  const certificates = chain.map((der) => parseCertificate(decodeBase64(String(der), field), field));
  return { chain: certificates, source: keptSource(source), ...(isValidity(validFor) && { validFor }) };
}

function isValidity(value: unknown): value is Validity {
  return typeof value === "object" && value !== null && Object.values(value).every((time) => typeof time === "string");
}

function keptSource(source: unknown): KeySource {
  return source === "pasted" ? "pasted" : "pinned";
}
