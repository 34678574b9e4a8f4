import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Auditor, type AuditorConfig, AuditorModule } from "@chancery/auditor";
import { Misconfigured } from "@chancery/fault";
import { Database } from "@chancery/postgres";
import { createLogger, createService, redact } from "@chancery/service";
import { indexAuditOf } from "./audited-index.ts";
import { CANARY_SECONDS, leftOut, parseCanaryLog, parseTimeServer, parseUrl } from "./auditor-settings.ts";
import type { Terminal } from "./command-line.ts";
import { parseFlags } from "./flags.ts";
import { printable } from "./printable.ts";
import type { Environment } from "./settings.ts";

const USAGE = `usage: chancery auditor --url URL [FLAGS]
       chancery auditor settle --state FOLDER [--alarm ID --because TEXT]

Checks an installation all day, as a stranger: by what anyone may read, with memory and code of its own. Best on
another machine than the one it checks. It keeps every checkpoint it ever saw until it is proven. What it finds stands
in its lines, at /api/chancery/v1/audit of its own port, in its metrics, and goes to a webhook.

  --url URL            the installation
  --from URL           another way to it (a proxy, a mirror): it must show the same. Any number of times
  --state FOLDER       the auditor's memory                                    ./.chancery-auditor
  --database-url URL   its PostgreSQL too: a role that may only read is enough
  --anchor FOLDER      its anchors too (CHANCERY_ANCHOR, or DATA/anchor)
  --webhook URL        where alarms are posted as JSON
  --canary SECONDS     an entry of its own, a timestamp and with a token a     60
                       certificate, so often; 0 for none
  --canary-into LOG    rekor or rekor-v2, where the other is closed on purpose  both
  --token-file FILE    an identity token for it, which something keeps fresh
  --time-server HOST   a clock to hold this machine's against, by SNTP; HOST:PORT,   none
                       any number of times
  --federated-issuer URL  one that the CA is configured for with issuer-claim: its    none
                       certificates name who vouched. A pattern as there, any number of times
  --read-token-file FILE  a bearer token, where not everyone may read
  --once               every check once: exit code 0 clean, 1 alarms
  --host HOST          address of its own answers                              127.0.0.1
  --port PORT          port of its own answers                                 8790
  --metrics-port PORT  port of its metrics                                     none

settle ends an alarm that is over at your word alone (settle --help).
`;

const FLAGS = {
  url: { type: "string" },
  from: { type: "string", multiple: true },
  state: { type: "string" },
  "database-url": { type: "string" },
  anchor: { type: "string" },
  webhook: { type: "string" },
  canary: { type: "string" },
  "canary-into": { type: "string", multiple: true },
  "token-file": { type: "string" },
  "time-server": { type: "string", multiple: true },
  "federated-issuer": { type: "string", multiple: true },
  "read-token-file": { type: "string" },
  once: { type: "boolean" },
  host: { type: "string" },
  port: { type: "string" },
  "metrics-port": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** `chancery auditor`: runs until it is told to stop. */
export async function auditorCommand(
  argv: readonly string[],
  _environment: Environment,
  terminal: Terminal,
): Promise<number> {
  if (argv[0] === "settle") return (await import("./auditor-settle.ts")).settleCommand(argv.slice(1), terminal);
  const flags = parseFlags(argv, FLAGS);
  if (flags.help === true) {
    terminal.out(USAGE);
    return 0;
  }
  if (flags.url === undefined) throw new Misconfigured("--url", "is needed: the installation to check");
  await using opened = new AsyncDisposableStack();
  const databaseUrl = flags["database-url"];
  const db = databaseUrl === undefined ? undefined : opened.use(await Database.open(databaseUrl, { max: 4 }));
  if (db === undefined && flags.anchor !== undefined) throw new Misconfigured("--anchor", "needs --database-url");
  const config = {
    url: parseUrl("--url", flags.url),
    vantagePoints: (flags.from ?? []).map((url) => parseUrl("--from", url)),
    state: resolve(flags.state ?? ".chancery-auditor"),
    webhook: flags.webhook && parseUrl("--webhook", flags.webhook),
    verifyIndex: db && indexAuditOf(db),
    insight: db && { db, anchor: flags.anchor && resolve(flags.anchor) },
    ...(await federated(flags["federated-issuer"])),
    way: wayOf(flags["read-token-file"]),
    timeServers: (flags["time-server"] ?? []).map((one) => parseTimeServer("--time-server", one)),
    canary: canaryOf(flags.canary ?? String(CANARY_SECONDS), flags["token-file"], flags["canary-into"]),
  };
  if (flags.once === true) return sweepOnce(config, terminal);
  const port = portOf("--port", flags.port ?? "8790");
  const metrics = flags["metrics-port"];
  const stop = Promise.race(SIGNALS.map((signal) => once(process, signal)));
  const service = await createService({
    host: flags.host ?? "127.0.0.1",
    port,
    logger: createLogger(),
    ...(metrics === undefined ? {} : { metrics: { port: portOf("--metrics-port", metrics) } }),
    modules: [AuditorModule.forRoot(config)],
  });
  opened.defer(() => service.close());
  terminal.out(`auditing ${config.url}: ${service.url}/api/chancery/v1/audit, memory in ${config.state}\n`);
  await stop;
  return 0;
}

async function sweepOnce(config: AuditorConfig, terminal: Terminal): Promise<number> {
  const told = {
    alarm: (_alarm: object, text: string) => terminal.err(`${redact(text)}\n`),
    failed: (what: string, error: unknown) => terminal.err(`${printable(`${what}: ${redact(String(error))}`)}\n`),
  };
  await using auditor = await Auditor.open({ ...config, told });
  await auditor.sweep();
  const { checks } = auditor.status();
  for (const { name, state, what } of checks) terminal.out(`${state.padEnd(8)}${printable(`${name}: ${what}`)}\n`);
  return checks.some(({ state }) => state === "failing") ? 1 : 0;
}

function canaryOf(seconds: string, tokenFile?: string, into?: readonly string[]): AuditorConfig["canary"] {
  if (!/^\d{1,6}$/.test(seconds)) throw new Misconfigured("--canary", `${seconds} is not a number of seconds`);
  if (seconds === "0") return undefined;
  const logs = into?.map((name) => parseCanaryLog("--canary-into", name));
  return {
    everyMs: Number(seconds) * 1000,
    token: tokenFile === undefined ? undefined : { file: resolve(tokenFile) },
    leftOut: leftOut(logs, "--canary-into"),
  };
}

function wayOf(file: string | undefined): NonNullable<AuditorConfig["way"]> {
  return file === undefined ? {} : { bearer: async () => (await readFile(resolve(file), "utf8")).trim() };
}

function portOf(key: string, value: string): number {
  const port = Number(value);
  if (!/^\d{1,5}$/.test(value) || port > 65_535) throw new Misconfigured(key, `${value} is not a port`);
  return port;
}

/** All of the CA loads with it: half a second that most do without. */
async function federated(named: readonly string[] | undefined): Promise<Pick<AuditorConfig, "isFederated">> {
  if (named === undefined) return {};
  const { federatedIssuers } = await import("./federated-issuers.ts");
  return { isFederated: federatedIssuers(named) };
}
