import { readFile } from "node:fs/promises";
import { type PublicKey, parsePublicKeyPem } from "@chancery/crypto";
import { Fault, Misconfigured } from "@chancery/fault";
import {
  assertIssuerPattern,
  type ClientAlgorithm,
  type IssuanceRates,
  parseClientAlgorithms,
  RemoteCtLog,
} from "@chancery/fulcio";
import type { OwnSection } from "./config-file.ts";

/** A CT log that is not ours. */
export interface ForeignCtLog {
  readonly url: string;
  readonly key: PublicKey;
  readonly link: RemoteCtLog;
}

/** What the command line and Fulcio's own format cannot say. */
export interface FulcioSettings {
  /** Where certificates are logged: in the log of this process, in another, or nowhere. */
  readonly ctLog: "own" | "none" | ForeignCtLog;
  /** Upstream's default if left out. */
  readonly clientAlgorithms?: readonly ClientAlgorithm[];
  readonly rates?: IssuanceRates;
  /** Seconds; a day if left out. */
  readonly longestTokenLife?: number;
  /** Issuers that had an `issuer-claim` and have it no more. */
  readonly onceFederated?: readonly string[];
}

export async function fulcioSettings(section: NonNullable<OwnSection["fulcio"]>): Promise<FulcioSettings> {
  const names = section["client-signing-algorithms"];
  const rates = section["certificates-per-identity"];
  const hours = section["longest-token-hours"];
  const onceFederated = section["once-federated"];
  for (const [at, url] of (onceFederated ?? []).entries())
    assertIssuerPattern(`chancery.fulcio.once-federated.${at}`, url);
  return {
    ctLog: await ctLog(section["ct-log"]),
    ...(names === undefined
      ? {}
      : { clientAlgorithms: parseClientAlgorithms(names, "chancery.fulcio.client-signing-algorithms") }),
    ...(rates === undefined ? {} : { rates: { perMinute: rates.minute, perHour: rates.hour } }),
    ...(hours === undefined ? {} : { longestTokenLife: hours * 3600 }),
    ...(onceFederated === undefined ? {} : { onceFederated }),
  };
}

/** For a person: where certificates are logged, if not in the log of this process. */
export function otherCtLog({ ctLog: log }: Pick<FulcioSettings, "ctLog">): string | undefined {
  if (log === "own") return undefined;
  return log === "none" ? "none, certificates have no SCT" : log.url;
}

type CtLogSection = NonNullable<OwnSection["fulcio"]>["ct-log"];

async function ctLog(section: CtLogSection): Promise<FulcioSettings["ctLog"]> {
  if (section === undefined) return "own";
  const { url, "public-key": keyFile, "ca-cert": caFile, origin } = section;
  if (url === "none") return "none";
  const key = "chancery.fulcio.ct-log";
  if (keyFile === undefined) {
    throw new Misconfigured(`${key}.public-key`, "is missing: SCTs would be embedded unverified");
  }
  const caCertificates = caFile === undefined ? undefined : await text(caFile, `${key}.ca-cert`);
  return {
    url,
    key: parseKey(await text(keyFile, `${key}.public-key`), keyFile),
    link: new RemoteCtLog({ url, caCertificates, origin }),
  };
}

function parseKey(pem: string, file: string): PublicKey {
  try {
    return parsePublicKeyPem(pem, "public key");
  } catch (cause) {
    const reason = cause instanceof Fault ? cause.message : "not a public key";
    throw new Misconfigured("chancery.fulcio.ct-log.public-key", `${file}: ${reason}`, { cause });
  }
}

async function text(file: string, key: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new Misconfigured(key, `${file} cannot be read`, { cause });
  }
}
