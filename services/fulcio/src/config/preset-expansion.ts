import { Misconfigured } from "@chancery/fault";
import { asMap, asText } from "./document.ts";
import { PRESETS } from "./presets/index.ts";
import type { Preset, Templates } from "./presets/preset.ts";
import { parseSpeltDocument } from "./spelling.ts";
import { stringify } from "yaml";

type Entry = Readonly<Record<string, unknown>>;

/** A document in YAML's spelling with every `preset` replaced by what it stands for: upstream's keys and nothing else of ours. */
export function expandPresets(document: Entry): Entry {
  const metadata: Record<string, unknown> = {};
  const expanded: Record<string, unknown> = { ...document };
  for (const section of ["oidc-issuers", "meta-issuers"]) {
    if (section in document) expanded[section] = expandSection(section, document[section], metadata);
  }
  if (Object.keys(metadata).length === 0) return expanded;
  const section = "ci-issuer-metadata";
  // What the file says under a name of ours wins, and can be seen.
  return { ...expanded, [section]: { ...metadata, ...asMap(document[section], section) } };
}

/** A configuration as YAML, its presets expanded: what upstream's Fulcio would be given. `beside` is left out. */
export function expandedConfiguration(text: string, beside: readonly string[] = []): string {
  const document = expandPresets(parseSpeltDocument(text, beside).content);
  return stringify(document, { schema: "failsafe", lineWidth: 0, aliasDuplicateObjects: false });
}

function expandSection(
  section: string,
  value: unknown,
  metadata: Record<string, unknown>,
): Readonly<Record<string, unknown>> {
  const isPattern = section === "meta-issuers";
  const entries = Object.entries(asMap(value, section)).map(([url, entry]) => {
    const key = `${section}.${url}`;
    const written = asMap(entry, key);
    if ("preset" in written) return [url, expandIssuer(key, url, written, isPattern, metadata)];
    if ("url" in written) throw new Misconfigured(`${key}.url`, "is not a key that is known here without a preset");
    return [url, entry];
  });
  return Object.fromEntries(entries) as Readonly<Record<string, unknown>>;
}

/** What a preset decides; whoever wants it otherwise writes the issuer without one. */
const DECIDED = ["type", "ci-provider"];

function expandIssuer(
  key: string,
  url: string,
  { preset: name, url: instance, ...rest }: Entry,
  isPattern: boolean,
  metadata: Record<string, unknown>,
): Entry {
  const preset = presetNamed(key, asText(name, `${key}.preset`));
  const contrary = DECIDED.find((decided) => decided in rest);
  if (contrary !== undefined) throw new Misconfigured(`${key}.${contrary}`, "is for the preset to say");
  const missing = preset.needs?.find((needed) => asText(rest[needed], `${key}.${needed}`) === undefined);
  if (missing !== undefined) throw new Misconfigured(`${key}.${missing}`, `the preset ${preset.name} needs it`);
  const issuer = {
    ...(isPattern ? {} : { "issuer-url": url }),
    ...(preset.clientId === undefined ? {} : { "client-id": preset.clientId }),
    ...preset.settings,
    ...rest,
  };
  const { templates } = preset;
  if (templates === undefined) {
    if (instance !== undefined) throw new Misconfigured(`${key}.url`, `the preset ${preset.name} has no use for it`);
    return issuer;
  }
  const page = instanceUrl(`${key}.url`, preset, url, asText(instance, `${key}.url`));
  const provider = `${preset.name} ${page}`;
  metadata[provider] = toMetadata(templates(page));
  return { ...issuer, "ci-provider": provider };
}

function presetNamed(key: string, name: string | undefined): Preset {
  const preset = PRESETS.find((known) => known.name === name);
  if (preset !== undefined) return preset;
  const names = PRESETS.map((known) => known.name).join(", ");
  throw new Misconfigured(`${key}.preset`, `${name ?? "nothing"} is not one of ${names}`);
}

/** A plain origin with a path: it becomes part of templates, where a brace would be one. */
const PAGE = /^https?:\/\/[A-Za-z0-9._-]+(?::[0-9]{1,5})?(?:\/[A-Za-z0-9._~/-]*)?$/;

function instanceUrl(key: string, preset: Preset, issuer: string, written: string | undefined): string {
  const url = written ?? preset.instance?.(issuer);
  if (url === undefined) {
    const why = `cannot be told from the issuer's, which for ${preset.name} is like ${preset.issuer}`;
    throw new Misconfigured(key, `is missing: ${why}`);
  }
  if (!PAGE.test(url) || !URL.canParse(url)) throw new Misconfigured(key, "is not the plain URL of an instance");
  return url.replace(/\/+$/, "");
}

function toMetadata({ defaults, extensions, subjectAlternativeName }: Templates): Entry {
  return {
    ...(defaults === undefined ? {} : { "default-template-values": defaults }),
    "extension-templates": extensions,
    "subject-alternative-name-template": subjectAlternativeName,
  };
}
