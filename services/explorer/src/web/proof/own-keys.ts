import { decodeBase64, encodeBase64, parseJson } from "@chancery/encoding";
import { parsePublicKey } from "./public-key.ts";
import type { KeySource, TrustedKey } from "./trusted-keys.ts";

const KEY = "chancery.log-keys";

type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** The log keys that were put or pinned into this browser. Whatever else stands there is passed over. */
export function keptKeys(storage: Kept): TrustedKey[] {
  try {
    const stored = parseJson(storage.getItem(KEY) ?? "[]", "kept keys");
    return Array.isArray(stored) ? stored.map(readKept) : [];
  } catch {
    return [];
  }
}

export function keepKeys(storage: Kept, keys: readonly TrustedKey[]): void {
  if (keys.length === 0) return storage.removeItem(KEY);
  const written = keys.map(({ key, source, label }) => ({ spki: encodeBase64(key.spki), source, label }));
  storage.setItem(KEY, JSON.stringify(written));
}

function readKept(value: unknown): TrustedKey {
  const { spki, source, label } = value as Record<"spki" | "source" | "label", unknown>;
  if (typeof spki !== "string" || typeof label !== "string") throw new TypeError("not a kept key");
  const kept: KeySource = source === "pasted" ? "pasted" : "pinned";
  return { key: parsePublicKey(decodeBase64(spki, "kept key"), "kept key"), source: kept, label };
}
