import { decodeBase64, decodeBase64Lenient, type JsonObject, type JsonValue, parseJson } from "@chancery/encoding";
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
  /** From when to when a trusted root believes it. */
  readonly validFor?: { readonly start?: string; readonly end?: string };
}

export interface TrustedAuthority {
  /** What signs certificates comes first, the root last. */
  readonly chain: readonly Certificate[];
  readonly source: KeySource;
}

/** Whom the reader believes: keys of logs, and certificate authorities. */
export interface TrustedParties {
  readonly logKeys: readonly TrustedKey[];
  readonly authorities: readonly TrustedAuthority[];
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
  const authorities = asList(root["certificateAuthorities"]).map((authority) => {
    const chain = asList(asObject(authority["certChain"])["certificates"]).flatMap(({ rawBytes }) => {
      const field = "trusted root: certificate";
      return typeof rawBytes === "string" ? [parseCertificate(decodeBase64Lenient(rawBytes, field), field)] : [];
    });
    return { chain, source };
  });
  return { logKeys, authorities };
}

/** What a person pastes or drops: a PEM of keys, or a trusted root. */
export function parseTrustedText(text: string): TrustedParties {
  if (text.trimStart().startsWith("{")) return parseTrustedRoot(text, "pasted");
  const logKeys = [{ key: parsePublicKeyPem(text, "key"), source: "pasted" as const, label: "pasted key" }];
  return { logKeys, authorities: [] };
}

/**
 * Whoever put keys, or authorities, into this browser wants those and no others: what the server says is then not asked.
 * Otherwise its own trusted root has to do. It stands there with its source, so that each step says by whose word it is.
 */
export function effectiveParties(own: TrustedParties, server: TrustedParties): TrustedParties {
  return {
    logKeys: own.logKeys.length === 0 ? server.logKeys : own.logKeys,
    authorities: own.authorities.length === 0 ? server.authorities : own.authorities,
  };
}

/** With what is added: each key and each authority once; what was put in last names it. */
export function joinedParties(own: TrustedParties, more: TrustedParties): TrustedParties {
  const keys = [...own.logKeys, ...more.logKeys].map((one) => [fingerprint(one.key).toHex(), one] as const);
  const authorities = [...own.authorities, ...more.authorities].flatMap((one) => {
    const [issuer] = one.chain;
    return issuer === undefined ? [] : [[issuer.der.toHex(), one] as const];
  });
  return { logKeys: [...new Map(keys).values()], authorities: [...new Map(authorities).values()] };
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
