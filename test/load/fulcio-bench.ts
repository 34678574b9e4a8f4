import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startChancery, startFakeIssuer } from "@chancery/testing";
import { closedLoop, type LoadRequest, type LoadResult } from "./closed-loop.ts";
import { percentile, ratios, spread } from "./figures.ts";
import { EMAIL, GITHUB, type Identity, signingRequests } from "./fulcio-requests.ts";
import { describeMachine } from "./machine.ts";
import { treeCpu } from "./process-cpu.ts";
import { repeat } from "./scenario.ts";
import { startUpstreamFulcio } from "./upstream-fulcio.ts";
import { temporaryFolder } from "./upstream-process.ts";

const USAGE = `bench fulcio [--clients 1,32] [--ct-log on,off] [--identities email,github-workflow] [--rounds 5]
             [--seconds 3] [--requests 8192] [--profile DIR] [--upstream FULCIO]
POST /api/v2/signingCert with RS256 tokens and P-256 keys: with the CT log on at the whole program on its embedded
PostgreSQL, with it off at Fulcio alone. --requests different ones of each identity are made beforehand, each with a
token and a key of its own, and sent in turn. All cases take turns within a round. --profile keeps
the servers' CPU profiles. --upstream runs upstream's program (built by go install, 1.8) without a CT log in the same rounds, and tells
ours against it, also ours with the CT log on: machines differ and drift, ratios of one round do not.`;

interface Round extends LoadResult {
  /** CPU microseconds per request. */
  readonly node: number;
  readonly database: number;
  readonly client: number;
}

/** A server as it is measured. */
interface Server {
  readonly ctLog: "on" | "off";
  readonly isUpstream: boolean;
  readonly url: string;
  readonly pid: number;
}

interface Case {
  readonly server: Server;
  readonly identity: Identity;
  readonly clients: number;
  readonly next: () => LoadRequest | undefined;
  readonly rounds: Round[];
}

const WARM_CLIENTS = 16;
const WARM_SECONDS = 3;

const print = (line: string) => process.stdout.write(`${line}\n`);

export async function benchFulcio(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      clients: { type: "string", default: "1,32" },
      "ct-log": { type: "string", default: "on,off" },
      identities: { type: "string", default: "email,github-workflow" },
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "3" },
      requests: { type: "string", default: "8192" },
      profile: { type: "string" },
      upstream: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void print(USAGE);
  await using open = new AsyncDisposableStack();
  const directory = await temporaryFolder(open);
  const identities = [EMAIL, GITHUB].filter(({ name }) => values.identities.split(",").includes(name));
  const issuers = await Promise.all(
    identities.map(async (identity) => ({ identity, issuer: open.use(await startFakeIssuer()) })),
  );
  const config = join(directory, "config.yaml");
  const entries = issuers.map(({ identity, issuer }) => {
    return [issuer.url, { "issuer-url": issuer.url, "client-id": "sigstore", type: identity.issuerType }] as const;
  });
  await writeFile(config, JSON.stringify({ "oidc-issuers": Object.fromEntries(entries) }));
  const servers = await startServers(open, values["ct-log"].split(","), config, directory, values.profile);
  if (values.upstream !== undefined) {
    const configured = issuers.map(({ identity, issuer }) => ({ url: issuer.url, type: identity.issuerType }));
    const { url, pid } = open.use(await startUpstreamFulcio(values.upstream, configured, directory));
    servers.push({ ctLog: "off", isUpstream: true, url, pid });
  }
  const pools = new Map<Identity, () => LoadRequest | undefined>();
  for (const { identity, issuer } of issuers) {
    pools.set(identity, repeat(await signingRequests(issuer, identity, Number(values.requests))));
  }
  const cases = servers.flatMap((server) =>
    values.clients.split(",").flatMap((clients) =>
      identities.map((identity): Case => {
        const next = pools.get(identity) ?? (() => undefined);
        return { server, identity, clients: Number(clients), next, rounds: [] };
      }),
    ),
  );
  await run(cases, Number(values.rounds), Number(values.seconds));
}

async function startServers(
  open: AsyncDisposableStack,
  wanted: readonly string[],
  config: string,
  directory: string,
  profiles: string | undefined,
): Promise<Server[]> {
  const profile = (name: string) =>
    profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}/${name}`];
  const servers: Server[] = [];
  if (wanted.includes("on")) {
    const stack = open.use(await startChancery({ args: ["--config", config], node: profile("on") }));
    servers.push({ ctLog: "on", isUpstream: false, url: stack.url, pid: stack.pid });
  }
  if (wanted.includes("off")) {
    const program = join(import.meta.dirname, "fulcio-node.ts");
    const child = spawn(process.execPath, [...profile("off"), program, config, directory], {
      // By the channel it hears of our end, however we are interrupted.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error("a server without pipes");
    // Its log goes where that of the whole program goes: into a pipe that is read.
    stderr.resume();
    open.defer(() => stopped(child));
    const [line] = (await once(stdout, "data")) as [Buffer];
    servers.push({ ctLog: "off", isUpstream: false, url: line.toString().trim(), pid: child.pid ?? Number.NaN });
  }
  return servers;
}

async function stopped(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
}

async function run(cases: readonly Case[], rounds: number, seconds: number): Promise<void> {
  print(describeMachine("server, PostgreSQL and this client"));
  // Until the compiler has seen enough: the first thousands of certificates cost several times the later ones.
  for (const one of cases) await measure({ ...one, clients: WARM_CLIENTS }, WARM_SECONDS);
  for (let round = 0; round < rounds; round++) {
    for (const one of cases) one.rounds.push(await measure(one, seconds));
  }
  print(`median of ${rounds} rounds of ${seconds} s (lowest–highest); load ${loadavg()[0]?.toFixed(1)} at the end\n`);
  print(
    "CT log  identity         clients  cert/s               p50 ms               p99 ms               " +
      "CPU µs/certificate   of it Node           PostgreSQL           client",
  );
  for (const one of cases) print(row(one));
  const same = (one: Case, other: Case) => one.clients === other.clients && one.identity === other.identity;
  for (const one of cases.filter(({ identity }) => identity === GITHUB)) {
    const email = cases.find(
      (other) => other.identity === EMAIL && other.server === one.server && other.clients === one.clients,
    );
    printRatio(`CT log ${label(one.server)}, ${one.clients} clients: github-workflow / email`, one, email);
  }
  for (const one of cases.filter(({ server }) => server.isUpstream)) {
    for (const ctLog of ["off", "on"]) {
      const ours = cases.find((other) => {
        return other.server.ctLog === ctLog && !other.server.isUpstream && same(other, one);
      });
      const what = ctLog === "on" ? "CT log on at ours alone" : "CT log off";
      printRatio(`${one.identity.name}, ${what}, ${one.clients} clients: ours / upstream's`, ours, one);
    }
  }
}

async function measure({ server, clients, next }: Case, seconds: number): Promise<Round> {
  const before = treeCpu(server.pid);
  const result = await closedLoop(server.url, { clients, seconds, expect: 200, next });
  const after = treeCpu(server.pid);
  if (result.surprise !== undefined) {
    print(`${result.unexpected} UNEXPECTED ANSWERS: ${result.surprise}`);
    process.exitCode = 1;
  }
  const perRequest = (used: number) => (used / result.requests) * 1e6;
  return {
    ...result,
    node: perRequest(after.program - before.program),
    database: perRequest(after.children - before.children),
    client: perRequest(result.cpu),
  };
}

function label({ ctLog, isUpstream }: Server): string {
  return isUpstream ? "off, Go" : ctLog;
}

function row({ server, identity, clients, rounds }: Case): string {
  const column = (pick: (round: Round) => number, digits: number) => spread(rounds.map(pick), digits).padEnd(21);
  return (
    `${label(server).padEnd(7)} ${identity.name.padEnd(16)} ${String(clients).padEnd(8)} ` +
    column((r) => r.requests / r.seconds, 0) +
    column((r) => percentile(r, 0.5), 2) +
    column((r) => percentile(r, 0.99), 2) +
    column((r) => r.node + r.database, 0) +
    column((r) => r.node, 0) +
    column((r) => r.database, 0) +
    column((r) => r.client, 0)
  );
}

function printRatio(what: string, one: Case | undefined, other: Case | undefined): void {
  if (one === undefined || other === undefined) return;
  const ratio = (pick: (round: Round) => number) => ratios(one.rounds, other.rounds, pick, 2);
  print(`${what}: time ${ratio((r) => r.seconds / r.requests)}, CPU ${ratio((r) => r.node + r.database)}`);
}
