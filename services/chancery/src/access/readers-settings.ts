import { readFile } from "node:fs/promises";
import { Misconfigured } from "@chancery/fault";
import type { ClaimRule, TokenKeys } from "@chancery/identity";
import type { ConfigFile } from "../config-file.ts";
import { isLoopbackHost } from "../loopback.ts";
import { claimRules, tokenKeys } from "../token-rules.ts";
import type { ReadersSection } from "./readers-section.ts";

/** Who may read, but for what only the running process can tell. */
export interface ReadersSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly audience: string;
  readonly scope: string;
  readonly ca: string | undefined;
  readonly keys: TokenKeys | "of-the-ca";
  readonly roles: Readonly<Record<"reader" | "auditor", readonly ClaimRule[] | undefined>>;
  readonly login: boolean;
  readonly guardsLogs: boolean;
  /** Milliseconds. */
  readonly sessionLife: number;
}

const KEY = "chancery.readers";

/** Undefined: everyone may read. */
export async function readersSettings(file: ConfigFile | undefined, url: string): Promise<ReadersSettings | undefined> {
  const section = file?.own.readers;
  if (file === undefined || section === undefined) return undefined;
  if (!url.startsWith("https:") && !isLoopbackHost(new URL(url).hostname)) {
    throw new Misconfigured(KEY, `needs a CHANCERY_URL with https: over ${url} anyone on the way could read along`);
  }
  checkIssuer(section.issuer);
  const secret = await text(file, section["client-secret-file"], "client-secret-file");
  return {
    issuer: section.issuer,
    clientId: section["client-id"],
    clientSecret: secret?.trim(),
    audience: section.audience ?? section["client-id"],
    scope: section.scope ?? "openid profile email",
    ca: await text(file, section["ca-cert"], "ca-cert"),
    keys: await tokenKeys(section, KEY, file, url),
    roles: roles(section.roles ?? { reader: { roles: "reader" }, auditor: { roles: "auditor" } }),
    login: section.login ?? true,
    guardsLogs: section.logs ?? false,
    sessionLife: (section["session-minutes"] ?? 60) * 60_000,
  };
}

function checkIssuer(issuer: string): void {
  const url = URL.parse(issuer);
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopbackHost(url.hostname));
  if (!isSafe) throw new Misconfigured(`${KEY}.issuer`, "must be an https URL");
}

function roles(section: NonNullable<ReadersSection["roles"]>): ReadersSettings["roles"] {
  const rules = (role: "reader" | "auditor") => {
    const claims = section[role];
    if (claims === undefined) return undefined;
    if (Object.keys(claims).length > 0) return claimRules(claims, `${KEY}.roles.${role}`);
    throw new Misconfigured(`${KEY}.roles.${role}`, "names no claim: it would be everyone's");
  };
  const found = { reader: rules("reader"), auditor: rules("auditor") };
  if (found.reader === undefined && found.auditor === undefined) {
    throw new Misconfigured(`${KEY}.roles`, "has neither reader nor auditor: nobody could read");
  }
  return found;
}

async function text(file: ConfigFile, path: string | undefined, name: string): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(file.resolve(path), "utf8");
  } catch (cause) {
    throw new Misconfigured(`${KEY}.${name}`, `${file.resolve(path)} cannot be read`, { cause });
  }
}
