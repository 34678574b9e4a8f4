import { Misconfigured } from "@chancery/fault";
import {
  type ClaimRule,
  type Glob,
  inlineKeys,
  KeyFile,
  parseClaimPath,
  parseGlob,
  parseKeySet,
  type TokenKeys,
  type TokenRule,
} from "@chancery/identity";
import type { TokenSection } from "./admission-section.ts";
import type { ConfigFile } from "./config-file.ts";
import { developmentIssuer } from "./idp/development-issuer.ts";

/** A rule whose keys may still have to come from the CA: it does not exist yet when the configuration is read. */
export interface TokenRuleSettings extends Omit<TokenRule, "keys"> {
  readonly keys: TokenKeys | "of-the-ca";
}

export async function tokenRuleSettings(
  section: TokenSection,
  key: string,
  file: ConfigFile,
  url: string,
): Promise<TokenRuleSettings> {
  return {
    issuer: section.issuer,
    audience: section.audience,
    keys: await tokenKeys(section, key, file, url),
    claims: claimRules(section.claims ?? {}, `${key}.claims`),
  };
}

export function withKeys({ keys, ...rule }: TokenRuleSettings, ofTheCa: TokenKeys): TokenRule {
  return { ...rule, keys: keys === "of-the-ca" ? ofTheCa : keys };
}

export async function tokenKeys(
  { issuer, jwks, "jwks-file": path }: Pick<TokenSection, "issuer" | "jwks" | "jwks-file">,
  key: string,
  file: ConfigFile,
  url: string,
): Promise<TokenKeys | "of-the-ca"> {
  if (jwks !== undefined && path !== undefined) {
    throw new Misconfigured(`${key}.jwks-file`, "jwks says already what the keys are");
  }
  if (jwks !== undefined) {
    return orMisconfigured(`${key}.jwks`, async () =>
      inlineKeys(parseKeySet(new TextEncoder().encode(typeof jwks === "string" ? jwks : JSON.stringify(jwks)))),
    );
  }
  if (path !== undefined) {
    const keys = new KeyFile(file.resolve(path));
    await orMisconfigured(`${key}.jwks-file`, () => keys.load());
    return keys;
  }
  if (file.issuers === undefined) {
    if (issuer === developmentIssuer(url)) return "of-the-ca";
    throw new Misconfigured(
      `${key}.issuer`,
      `${issuer} is not ${developmentIssuer(url)}, the one issuer of development mode, and there is neither jwks nor jwks-file: nobody would know its keys`,
    );
  }
  const known = file.issuers.some((one) => !one.isPattern && one.url === issuer);
  if (known) return "of-the-ca";
  throw new Misconfigured(
    `${key}.issuer`,
    `${issuer} is not among the oidc-issuers, and there is neither jwks nor jwks-file: nobody would know its keys`,
  );
}

export function claimRules(claims: Readonly<Record<string, string | readonly string[]>>, key: string): ClaimRule[] {
  return Object.entries(claims).map(([name, texts]) => {
    const path = parseClaimPath(name);
    if (path === undefined) throw new Misconfigured(`${key}.${name}`, "is neither a claim nor a path to one");
    return { name, path, globs: globs(texts, `${key}.${name}`) };
  });
}

export function globs(texts: string | readonly string[], key: string): Glob[] {
  return [texts].flat().map((text) => {
    const glob = parseGlob(text);
    if (glob === undefined) throw new Misconfigured(key, "three stars in a row mean nothing");
    return glob;
  });
}

async function orMisconfigured<T>(key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new Misconfigured(key, cause instanceof Error ? cause.message : "cannot be read", { cause });
  }
}
