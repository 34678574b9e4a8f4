import { open } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Misconfigured } from "@chancery/fault";
import { explainToken, type Explanation } from "@chancery/fulcio";
import { fulcioConfig } from "./fulcio-config.ts";
import { columns, printable } from "./printable.ts";
import { type Environment, resolveSettings, type Settings } from "./settings.ts";

const USAGE = `usage: chancery explain-token FILE [FLAGS]

What would become of the identity token in FILE (- for standard input): which issuer it is of, how each check ends, and
the certificate it would get. Nothing is issued, and the token is not printed. Only the token's own issuer is asked,
for its keys. Exit codes: 0 a certificate would be issued, 1 not, 2 the question was not understood.

  --config FILE  the issuers, as for chancery serve              CHANCERY_CONFIG, or development mode
  --url URL      in development mode: where chancery runs         http://localhost:PORT
  --port PORT    the same                                        8700
  --offline      without the signature: nobody is asked
  --json         as one JSON object
`;

const FLAGS = {
  config: { type: "string" },
  url: { type: "string" },
  port: { type: "string" },
  offline: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Twice what a token may have: one that is too long is for the check to say. */
const MAX_BYTES = 64 * 1024;

/** `chancery explain-token`: resolves with the exit code. */
export async function explainTokenCommand(
  argv: readonly string[],
  environment: Environment,
  out: (text: string) => void,
): Promise<number> {
  const { flags, file } = parseCommandLine(argv);
  if (flags.help === true) {
    out(USAGE);
    return 0;
  }
  if (file === undefined)
    throw new Misconfigured("explain-token", "needs the file of a token, or - for standard input");
  const { config, url, port } = flags;
  const settings = await resolveSettings({ config, url, port }, environment);
  const token = await readToken(file);
  const explanation = await explainToken(token, fulcioConfig(settings), { offline: flags.offline === true });
  if (flags.json === true) out(`${JSON.stringify(explanation, null, 2)}\n`);
  else out(asText(explanation, flags.offline === true) + hint(explanation, settings));
  return explanation.wouldIssue ? 0 : 1;
}

function parseCommandLine(argv: readonly string[]) {
  try {
    const { values: flags, positionals } = parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true });
    // Never repeated: it may be the token itself.
    if (positionals.length > 1) throw new Misconfigured("explain-token", "takes one file");
    return { flags, file: positionals[0] };
  } catch (error) {
    if (error instanceof Misconfigured) throw error;
    throw new Misconfigured("command line", (error instanceof Error ? error.message : "").split(". ", 1)[0] ?? "");
  }
}

/** Without the line's end that editors and `echo` leave. */
async function readToken(file: string): Promise<string> {
  try {
    await using handle = file === "-" ? undefined : await open(file);
    const stream = handle?.createReadStream({ autoClose: false }) ?? process.stdin;
    let text = "";
    for await (const chunk of stream.setEncoding("latin1")) {
      text += chunk as string;
      if (text.length > MAX_BYTES) break;
    }
    return text.trim();
  } catch (cause) {
    // Not the name: who forgets that a file is wanted gives the token.
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new Misconfigured(
      "explain-token",
      `the file cannot be read (${code}); the token is given in a file or as -`,
      {
        cause,
      },
    );
  }
}

const MARKS = { passed: "ok", failed: "FAILED", skipped: "-" } as const;

function asText(explanation: Explanation, offline: boolean): string {
  const { checks, claims, policy, wouldIssue } = explanation;
  const sections = [
    columns(checks.map(({ check, outcome, detail }) => [MARKS[outcome], check, printable(detail)])),
    claims.length === 0 ? "" : `claims read\n${columns(claims.map(claimRow))}`,
    policy === undefined ? "" : policyAsText(policy),
    wouldIssue ? certificateAsText(explanation, offline) : "No certificate would be issued.\n",
  ];
  return sections.filter((section) => section !== "").join("\n");
}

function claimRow({ name, isPresent, default: byDefault }: Explanation["claims"][number]): string[] {
  if (byDefault === undefined) return ["", isPresent ? "present" : "absent", printable(name)];
  return ["", "default", `${printable(name)}: ${printable(byDefault)}`];
}

/** Whoever forgets --config asks development mode, whose one issuer no token of theirs is of. */
function hint({ checks }: Explanation, { issuers, url, configFile }: Settings): string {
  const isUnknown = checks.some(({ check, outcome }) => check === "issuer-unknown" && outcome === "failed");
  if (!isUnknown || issuers !== undefined) return "";
  const without = configFile === undefined ? "Without --config FILE" : `Without issuers in ${configFile.path}`;
  return `${without} only ${url}/idp, of development mode, is configured; --url or --port name another.\n`;
}

function policyAsText(policy: NonNullable<Explanation["policy"]>): string {
  const head = `policy: default ${policy.default}${policy.dryRun ? ", dry run" : ""}; ${policy.outcome} by ${policy.decidedBy}`;
  const rules = policy.rules.flatMap(({ name, effect, matches, condition }) => [
    ["", effect, name, matches ? "applies" : "does not apply"],
    ...(condition === undefined ? [] : conditionRows(condition, 1)),
  ]);
  return `${head}\n${columns(rules)}`;
}

type ConditionResult = NonNullable<NonNullable<Explanation["policy"]>["rules"][number]["condition"]>;

function conditionRows({ condition, outcome, inner }: ConditionResult, depth: number): string[][] {
  const row = ["", "", `${"  ".repeat(depth)}${printable(condition)}`, outcome];
  return [row, ...inner.flatMap((each) => conditionRows(each, depth + 1))];
}

function certificateAsText({ certificate, challenge }: Explanation, offline: boolean): string {
  if (certificate === undefined) return "";
  const { identity, identityType, lifetimeSeconds, extensions } = certificate;
  const facts = [
    ["", "identity", `${printable(identity)} (${identityType})`],
    ["", "valid for", `${lifetimeSeconds / 60} minutes`],
    ["", "client signs", printable(challenge ?? "")],
  ];
  const rows = extensions.map(({ oid, name, critical, value }) => [
    "",
    oid,
    critical ? `${name} (critical)` : name,
    printable(value),
  ]);
  const provided = offline ? ", if its issuer signed it" : "";
  return `This certificate would be issued${provided}:\n${columns(facts)}extensions\n${columns(rows)}`;
}
