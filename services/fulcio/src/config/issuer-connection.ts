import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { Malformed, Misconfigured } from "@chancery/fault";
import { parseKeySet } from "@chancery/identity";
import { isLoopback } from "../domain/discovery.ts";
import type { ClientCertificate, IssuerConnection, KeyLocation } from "../domain/issuer-settings.ts";
import { asText } from "./document.ts";

/*
 * How an issuer is reached, for closed networks: where its keys are, whom TLS to it is trusted to, and what it is
 * shown. All of it is ours, none of it upstream's but `ca-cert`.
 */

/** The keys of one issuer that this file reads. */
export type Written = Readonly<
  Partial<
    Record<
      | "jwks"
      | "jwks-file"
      | "jwks-uri"
      | "ca-cert"
      | "ca-cert-file"
      | "client-cert-file"
      | "client-key-file"
      | "token-file"
      | "keep-keys-for",
      unknown
    >
  >
>;

const MAX_FILE_BYTES = 1024 * 1024;

/** Paths are relative to `folder`; each file is read once, so that one that cannot serve is found out here. */
export function parseIssuerConnection(
  key: string,
  written: Written,
  isPattern: boolean,
  folder: string,
): IssuerConnection {
  const at = (name: keyof Written) => `${key}.${name}`;
  const path = (name: keyof Written) => {
    const text = asText(written[name], at(name));
    return text === undefined ? undefined : resolve(folder, text);
  };
  if (isPattern) refuseForPattern(key, written);
  const connection = {
    keys: parseKeyLocation(key, written, path("jwks-file")),
    keepKeysFor: parseDuration(at("keep-keys-for"), asText(written["keep-keys-for"], at("keep-keys-for"))),
    caCertificates: checkedCertificates(asText(written["ca-cert"], at("ca-cert")), at("ca-cert")),
    caFile: path("ca-cert-file"),
    clientCertificate: parseClientCertificate(key, path("client-cert-file"), path("client-key-file")),
    tokenFile: path("token-file"),
  };
  checkedCertificates(contents(at("ca-cert-file"), connection.caFile), at("ca-cert-file"));
  if (contents(at("token-file"), connection.tokenFile)?.trim() === "") {
    throw new Misconfigured(at("token-file"), "is empty");
  }
  return connection;
}

/** Who controls one tenant chooses the host: none of these may go there, and no key may speak for all. */
function refuseForPattern(key: string, written: Written): void {
  const single = ["jwks", "jwks-file", "jwks-uri", "client-cert-file", "client-key-file", "token-file"] as const;
  const found = single.find((name) => written[name] !== undefined);
  if (found !== undefined) throw new Misconfigured(`${key}.${found}`, "is for one issuer, and a pattern is many");
}

function parseKeyLocation(key: string, written: Written, file: string | undefined): KeyLocation {
  const [first, second] = (["jwks", "jwks-file", "jwks-uri"] as const).filter((name) => written[name] !== undefined);
  if (second !== undefined) throw new Misconfigured(`${key}.${second}`, `${first} says already where the keys are`);
  if (file !== undefined) {
    checkedKeySet(`${key}.jwks-file`, contents(`${key}.jwks-file`, file) ?? "");
    return { type: "file", file };
  }
  if (written.jwks !== undefined) {
    const text = typeof written.jwks === "string" ? written.jwks : JSON.stringify(written.jwks);
    return { type: "inline", keySet: checkedKeySet(`${key}.jwks`, text) };
  }
  const uri = asText(written["jwks-uri"], `${key}.jwks-uri`);
  if (uri === undefined) return { type: "discovery" };
  if (!URL.canParse(uri)) throw new Misconfigured(`${key}.jwks-uri`, "is not a URL");
  const { protocol, hostname, username, password } = new URL(uri);
  if (protocol !== "https:" && !(protocol === "http:" && isLoopback(hostname))) {
    throw new Misconfigured(`${key}.jwks-uri`, "must be https: keys fetched over http can be anyone's");
  }
  if (username !== "" || password !== "") throw new Misconfigured(`${key}.jwks-uri`, "must not have a user in it");
  return { type: "uri", uri };
}

function checkedKeySet(key: string, json: string) {
  try {
    return parseKeySet(new TextEncoder().encode(json));
  } catch (cause) {
    throw new Misconfigured(key, cause instanceof Error ? cause.message : "is no JWK set", { cause });
  }
}

function parseClientCertificate(
  key: string,
  certificateFile: string | undefined,
  keyFile: string | undefined,
): ClientCertificate | undefined {
  if (certificateFile === undefined && keyFile === undefined) return undefined;
  if (certificateFile === undefined) throw new Misconfigured(`${key}.client-cert-file`, "is missing beside the key");
  if (keyFile === undefined) throw new Misconfigured(`${key}.client-key-file`, "is missing beside the certificate");
  const cert = contents(`${key}.client-cert-file`, certificateFile);
  checkedCertificates(cert, `${key}.client-cert-file`);
  try {
    createSecureContext({ cert, key: contents(`${key}.client-key-file`, keyFile) });
  } catch (cause) {
    if (cause instanceof Misconfigured) throw cause;
    throw new Misconfigured(`${key}.client-key-file`, "is not the PEM of the certificate's private key", { cause });
  }
  return { certificateFile, keyFile };
}

function contents(key: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    const status = statSync(file);
    if (!status.isFile()) throw new Misconfigured(key, `${file} is not a file`);
    if (status.size > MAX_FILE_BYTES) throw new Misconfigured(key, `${file} is larger than 1 MiB`);
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (cause instanceof Misconfigured) throw cause;
    const { code } = cause as { code?: string };
    throw new Misconfigured(key, `${file} cannot be read${code === undefined ? "" : ` (${code})`}`, { cause });
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** As upstream: what stands between the certificates is not looked at, for CA bundles have comments there. */
function checkedCertificates(pem: string | undefined, key: string): string | undefined {
  if (pem === undefined) return undefined;
  try {
    const certificates = pem.match(CERTIFICATE) ?? [];
    if (certificates.length === 0) throw new Malformed("no certificate");
    for (const certificate of certificates) void new X509Certificate(certificate);
  } catch (cause) {
    throw new Misconfigured(key, "is not PEM of certificates", { cause });
  }
  return pem;
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };
/** Milliseconds. Below the first, keys would end between two renewals; beyond the second, withdrawn ones would live on. */
const [SHORTEST, LONGEST] = [10 * 60_000, 7 * 24 * 3_600_000];

/** As Go writes durations: `90m`, `1h30m`. */
function parseDuration(key: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^(?:[0-9]{1,6}[smh])+$/.test(text)) throw new Misconfigured(key, "is not a duration such as 90m or 2h");
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9]+)([smh])/g)) total += Number(amount) * (UNITS[unit ?? ""] ?? 0);
  if (total < SHORTEST || total > LONGEST) throw new Misconfigured(key, "must be from 10m to 168h");
  return total;
}
