import { Misconfigured } from "@chancery/fault";
import type { FulcioExtensionName } from "@chancery/x509";
import { asBoolean, asMap, asText } from "./config/document.ts";
import { parseIssuerConnection } from "./config/issuer-connection.ts";
import type { CI_KEYS, EXTENSION_KEYS, FILE_KEYS, ISSUER_KEYS } from "./config/keys.ts";
import { expandPresets } from "./config/preset-expansion.ts";
import { parseSpeltDocument, type SpeltDocument } from "./config/spelling.ts";
import type { CiMetadata } from "./domain/ci-metadata.ts";
import type { ClientAlgorithm } from "./domain/client-algorithm.ts";
import type { IssuanceRates } from "./domain/issuance-rate.ts";
import { IssuerPool } from "./domain/issuer-pool.ts";
import type { IssuerSettings } from "./domain/issuer-settings.ts";
import { parsePolicy } from "./domain/policy/policy-document.ts";
import { parseTemplate, type Template } from "./domain/template.ts";

/** What the service needs to know; `parseFulcioConfig` makes it from upstream's own file. */
export interface FulcioConfig {
  readonly issuers: readonly IssuerSettings[];
  /** Lets the keys of an https issuer be on plain http on this machine: for development. */
  readonly allowLoopbackHttp?: boolean;
  /** Seconds from `iat` to `exp` beyond which a token is refused; a day if left out. */
  readonly longestTokenLife?: number;
  /** The keys that may be certified; upstream's default if left out. */
  readonly clientAlgorithms?: readonly ClientAlgorithm[];
  /** Certificates that one identity may have of one process; unbounded, as upstream, if left out. */
  readonly rates?: IssuanceRates;
  /** URLs or patterns of issuers that had an `issuer-claim` before: their certificates are still in the ledger. */
  readonly onceFederated?: readonly string[];
}

/**
 * Reads upstream Fulcio's configuration, YAML or legacy JSON, as it is. Stricter than upstream: an unknown
 * key, an unknown type and whatever could never issue a certificate are refused here, with the key's name,
 * instead of being passed over. `beside` names top keys that are another reader's; paths are relative to `folder`.
 */
export function parseFulcioConfig(text: string, beside: readonly string[] = [], folder = "."): FulcioConfig {
  const document = parseSpeltDocument(text, beside);
  try {
    const issuers = parseIssuers(document, folder);
    // Whoever reads a configuration learns here, and not at the first token, that an issuer cannot work.
    void new IssuerPool(issuers);
    return { issuers };
  } catch (error) {
    if (!(error instanceof Misconfigured)) throw error;
    const reason = error.message.slice(`${error.key}: `.length);
    throw new Misconfigured(document.asWritten(error.key), reason, { cause: error });
  }
}

function parseIssuers(document: SpeltDocument, folder: string): IssuerSettings[] {
  const file: Keys<typeof FILE_KEYS> = expandPresets(document.content);
  const each = <T>(section: keyof typeof FILE_KEYS, parse: (value: unknown, key: string, name: string) => T) => {
    const entries = Object.entries(asMap(file[section], section));
    return new Map(
      entries.map(([name, value]) => [name, parse(value, document.asWritten(`${section}.${name}`), name)]),
    );
  };
  const metadata = each("ci-issuer-metadata", parseCiMetadata);
  const settings = (section: "oidc-issuers" | "meta-issuers") =>
    each(section, (value, key, url) =>
      parseIssuer(value, key, url, section === "meta-issuers", metadata, folder),
    ).values();
  return [...settings("oidc-issuers"), ...settings("meta-issuers")];
}

/** What may stand in a map that `spelling.ts` has read. */
type Keys<Spellings> = { readonly [name in keyof Spellings]?: unknown };

function parseIssuer(
  value: unknown,
  key: string,
  url: string,
  isPattern: boolean,
  metadata: ReadonlyMap<string, CiMetadata>,
  folder: string,
): IssuerSettings {
  const written: Keys<typeof ISSUER_KEYS> = asMap(value, key);
  const text = (name: Exclude<keyof typeof ISSUER_KEYS, "policy">) => asText(written[name], `${key}.${name}`);
  // Upstream looks an issuer up by the map's key and asks its URL: of two different ones nothing ever comes.
  if (!isPattern && (text("issuer-url") ?? url) !== url) {
    throw new Misconfigured(`${key}.issuer-url`, "is not the URL it stands under");
  }
  for (const name of ["description", "contact", "environment"] as const) text(name);
  return {
    key,
    url,
    isPattern,
    clientId: text("client-id") ?? "",
    type: text("type") ?? "",
    ciProvider: text("ci-provider"),
    ciMetadata: metadata.get(text("ci-provider") ?? ""),
    issuerClaim: text("issuer-claim"),
    subjectDomain: text("subject-domain"),
    spiffeTrustDomain: text("spiffe-trust-domain"),
    challengeClaim: text("challenge-claim"),
    skipEmailVerification: asBoolean(written["skip-email-verification"], `${key}.skip-email-verification`),
    ...parseIssuerConnection(key, written, isPattern, folder),
    policy: parsePolicy(written.policy, `${key}.policy`),
  };
}

function parseCiMetadata(value: unknown, key: string): CiMetadata {
  const written: Keys<typeof CI_KEYS> = asMap(value, key);
  const [defaultsKey, templatesKey, sanKey] = [
    `${key}.default-template-values`,
    `${key}.extension-templates`,
    `${key}.subject-alternative-name-template`,
  ];
  const defaults = Object.entries(asMap(written["default-template-values"], defaultsKey));
  const templates: Keys<typeof EXTENSION_KEYS> = asMap(written["extension-templates"], templatesKey);
  const san = asText(written["subject-alternative-name-template"], sanKey)?.trim();
  if (san === undefined || san === "") throw new Misconfigured(sanKey, "is missing: the certificate would name nobody");
  const extensions = new Map<FulcioExtensionName, Template>();
  for (const [name, template] of Object.entries(templates)) {
    const source = asText(template, `${templatesKey}.${name}`);
    // As upstream: a blank one is none.
    if (source === undefined || source.trim() === "" || name === "issuer" || name === "subject") continue;
    extensions.set(name as FulcioExtensionName, parseTemplate(source, `${templatesKey}.${name}`));
  }
  return {
    defaults: new Map(defaults.map(([name, text]) => [name, asText(text, `${defaultsKey}.${name}`) ?? ""])),
    extensions,
    subjectAlternativeName: parseTemplate(san, sanKey),
  };
}
