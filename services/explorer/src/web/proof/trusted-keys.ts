import { decodeBase64, decodeBase64Lenient, type JsonObject, type JsonValue, parseJson } from "@chancery/encoding";
import { type Certificate, parseCertificate } from "../certificate/certificate.ts";
import { parsePublicKey, parsePublicKeyPem, type PublicKey } from "./public-key.ts";

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
  /** From when to when a trusted root believes it. */
  readonly validFor?: { readonly start?: string; readonly end?: string };
}

/** Whom the reader believes: keys of logs, and certificate authorities. */
export interface TrustedParties {
  readonly logKeys: readonly TrustedKey[];
  readonly authorities: readonly (readonly Certificate[])[];
}

/** A Sigstore trusted_root.json, of which only logs and certificate authorities are read here. */
export function parseTrustedRoot(json: string, source: KeySource): TrustedParties {
  const root = asObject(parseJson(json, "trusted root"));
  const logKeys = [...asList(root["tlogs"]), ...asList(root["ctlogs"])].flatMap((log) => {
    const { baseUrl, publicKey } = log;
    const { rawBytes } = asObject(publicKey);
    if (typeof rawBytes !== "string") return [];
    const key = parsePublicKey(decodeBase64(rawBytes, "trusted root: key"), "trusted root: key");
    return [{ key, source, label: typeof baseUrl === "string" ? baseUrl : "log", validFor: readWindow(publicKey) }];
  });
  const authorities = asList(root["certificateAuthorities"]).map((authority) =>
    asList(asObject(authority["certChain"])["certificates"]).flatMap(({ rawBytes }) => {
      const field = "trusted root: certificate";
      return typeof rawBytes === "string" ? [parseCertificate(decodeBase64Lenient(rawBytes, field), field)] : [];
    }),
  );
  return { logKeys, authorities };
}

/** What a person pastes or drops: a PEM of keys, or a trusted root. */
export function parseTrustedText(text: string): readonly TrustedKey[] {
  if (text.trimStart().startsWith("{")) return parseTrustedRoot(text, "pasted").logKeys;
  return [{ key: parsePublicKeyPem(text, "key"), source: "pasted", label: "pasted key" }];
}

/**
 * Whoever put keys into this browser wants those and no others: what the server says is then not asked. Otherwise its
 * own trusted root has to do, and the page says so.
 */
export function effectiveParties(own: readonly TrustedKey[], server: TrustedParties): TrustedParties {
  return own.length === 0 ? server : { logKeys: own, authorities: server.authorities };
}

function readWindow(publicKey: JsonValue | undefined): NonNullable<TrustedKey["validFor"]> {
  const { start, end } = asObject(asObject(publicKey)["validFor"]);
  return { ...(typeof start === "string" && { start }), ...(typeof end === "string" && { end }) };
}

function asObject(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function asList(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.map(asObject) : [];
}
