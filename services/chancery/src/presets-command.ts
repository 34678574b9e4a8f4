import { parseArgs } from "node:util";
import { Misconfigured } from "@chancery/fault";
import { expandedConfiguration, parseFulcioConfig, type Preset, PRESETS } from "@chancery/fulcio";
import { readConfigFile } from "@chancery/service";

const USAGE = `usage: chancery presets                          lists them
       chancery presets NAME --issuer-url URL [--client-id ID] [--url URL] [--spiffe-trust-domain NAME]
       chancery presets --config FILE           expands those of a configuration

Prints what a preset stands for in upstream Fulcio's own format.
`;

const FLAGS = {
  "issuer-url": { type: "string" },
  "client-id": { type: "string" },
  url: { type: "string" },
  "spiffe-trust-domain": { type: "string" },
  config: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

type Flags = { readonly [name in Exclude<keyof typeof FLAGS, "help">]?: string } & { readonly help?: boolean };

export async function presetsCommand(argv: readonly string[], out: (text: string) => void): Promise<number> {
  const { flags, name } = parse(argv);
  if (flags.help === true) out(USAGE);
  else if (flags.config !== undefined) out(expandedConfiguration(await readConfigFile(flags.config), ["chancery"]));
  else if (name === undefined) out(list());
  else out(expansion(name, flags));
  return 0;
}

function parse(argv: readonly string[]): { readonly flags: Flags; readonly name: string | undefined } {
  try {
    const { values: flags, positionals } = parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true });
    const [name, extra] = positionals;
    if (extra !== undefined) throw new Misconfigured(extra, "is one word too many");
    if (name !== undefined && flags.config !== undefined)
      throw new Misconfigured("--config", "expands a file, no name");
    return { flags, name };
  } catch (error) {
    if (error instanceof Misconfigured) throw error;
    throw new Misconfigured("presets", error instanceof Error ? (error.message.split(". ", 1)[0] ?? "") : "unreadable");
  }
}

function list(): string {
  const width = Math.max(...PRESETS.map(({ name }) => name.length));
  const lines = PRESETS.map(({ name, description, issuer, needs = [] }) => {
    const also = needs.length === 0 ? "" : `; needs ${needs.join(", ")}`;
    return `${name.padEnd(width)}  ${description}${also}\n${" ".repeat(width)}  ${issuer}\n`;
  });
  return `${lines.join("")}\nIn an issuer's entry: preset: NAME. \`chancery presets --help\` says how to print what one stands for.\n`;
}

function expansion(name: string, flags: Flags): string {
  const { "issuer-url": issuer, url: instance, "spiffe-trust-domain": trustDomain } = flags;
  const preset: Preset | undefined = PRESETS.find((known) => known.name === name);
  const url = issuer ?? (preset === undefined || /[A-Z]/.test(preset.issuer) ? undefined : preset.issuer);
  if (url === undefined && preset !== undefined)
    throw new Misconfigured("--issuer-url", `is missing: ${preset.issuer}`);
  const entry = {
    preset: name,
    // The audience of upstream's clients, where the issuer leaves a choice.
    "client-id": flags["client-id"] ?? preset?.clientId ?? "sigstore",
    url: instance,
    "spiffe-trust-domain": trustDomain,
  };
  const written = JSON.stringify({ "oidc-issuers": { [url ?? "issuer"]: entry } });
  // What is printed must be a configuration that works.
  parseFulcioConfig(written);
  return expandedConfiguration(written);
}
