import { spawn } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { once as event } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { loadKeyFile } from "@chancery/crypto";
import { Database, runningEmbedded } from "@chancery/postgres";
import {
  type ChanceryProcess,
  copyInstallation,
  type FakeIssuer,
  freePort,
  startChancery,
  startFakeIssuer,
} from "@chancery/testing";
import { FileDirectory, FileVersionFloor } from "../../services/trust/src/domain/tuf/file-directory.ts";
import { tufKey } from "../../services/trust/src/domain/tuf/key.ts";
import { prepareRelease } from "../../services/trust/src/domain/tuf/release.ts";
import { loadRepository, type RepositoryState } from "../../services/trust/src/domain/tuf/repository-state.ts";
import { closedLoop } from "./closed-loop.ts";
import { EMAIL, signingRequests } from "./fulcio-requests.ts";
import { LyingProxy } from "./lying-proxy.ts";
import { json, once } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";
import type { StaleCheckpoint, Tip } from "./tip-tampering.ts";

const MAIN = join(import.meta.dirname, "../../services/chancery/dist/main.js");
const DAY = 86_400_000;
export const ROUNDS = 5;
/** So that there are nodes above the lowest tiles. */
const [V1, V2, CERTIFICATES] = [1_000, 600, 40];

/** An installation with an auditor beside it, ways to it that can lie, and a stranger who audits it by one of them. */
export interface TipWorld extends AsyncDisposable {
  readonly stack: ChanceryProcess;
  readonly tip: Tip;
  readonly proxy: LyingProxy;
  /** Where the stranger's alarms are. */
  readonly stranger: string;
  /** The trust root as it was on the days that it was signed anew, the newest last. */
  readonly releases: readonly RepositoryState[];
}

export async function startTipWorld(): Promise<TipWorld> {
  await using opening = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "chancery-tip-"));
  opening.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));
  const [data, port] = [join(folder, "data"), await freePort()];
  const proxy = opening.use(await LyingProxy.start(`http://localhost:${port}`));
  const issuer = opening.use(await startFakeIssuer());
  const config = join(folder, "config.json");
  const ways = Array.from({ length: ROUNDS }, (_, round) => `${proxy.url}/${round}`);
  const issuers = { [issuer.url]: { "issuer-url": issuer.url, "client-id": "sigstore", type: "email" } };
  const auditor = { canary: false, "vantage-points": ways };
  await writeFile(config, JSON.stringify({ "oidc-issuers": issuers, chancery: { auditor } }));
  const args = ["--config", config];
  await (await startChancery({ data, port, args })).stop();
  const unlogged = await issueOnTwin(data, join(folder, "twin"), { args, issuer });
  const releases = await renewTrust(data);
  const stack = opening.use(await startChancery({ data, port, args, auditor: "on" }));
  const url = await runningEmbedded(join(data, "postgres"));
  if (url === undefined) throw new Error("the embedded PostgreSQL does not run");
  const owner = opening.use(await Database.open(url, { max: 4 }));
  const stale = await fill(stack, owner, issuer);
  const stranger = await startStranger(proxy.url, join(folder, "stranger"), opening);
  const all = opening.move();
  const tip = { owner, unlogged, stale };
  return { stack, tip, proxy, stranger, releases, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** A copy of the installation has its CA and its CT log's key, and a CT log that goes another way. */
async function issueOnTwin(
  data: string,
  to: string,
  { args, issuer }: { args: readonly string[]; issuer: FakeIssuer },
) {
  await copyInstallation(data, to);
  await using twin = await startChancery({ data: to, args });
  await issue(twin, issuer, ROUNDS);
  const url = await runningEmbedded(join(to, "postgres"));
  if (url === undefined) throw new Error("the twin's PostgreSQL does not run");
  await using owner = await Database.open(url, { max: 1 });
  return await owner.query<Tip["unlogged"][number]>(
    "SELECT serial, to_jsonb(c)::text AS row FROM fulcio.certificate c ORDER BY time, serial",
  );
}

/** While it is stopped, as the service does on these days: timestamp; snapshot, too; all of them. */
async function renewTrust(data: string): Promise<RepositoryState[]> {
  const directory = await FileDirectory.open(join(data, "tuf"));
  const signerOf = async (name: string) => {
    const signer = await loadKeyFile(join(data, "keys", `${name}.pem`));
    return { key: tufKey(signer.publicKey, name), signer };
  };
  const signers = { root: await signerOf("tuf-root"), online: await signerOf("tuf-online") };
  const began = Date.now();
  const releases = [await loadRepository(directory)];
  for (const day of [2, 91, 184]) {
    const before = releases.at(-1);
    const { files } = await prepareRelease(before, signers, began + day * DAY);
    for (const [name, bytes] of files) await directory.write(name, bytes);
    releases.push(await loadRepository(directory));
  }
  const newest = releases.at(-1)?.timestamp.metadata.signed.version ?? 0;
  await new FileVersionFloor(join(data, "anchor", "tuf")).raise(newest);
  return releases;
}

/** Resolves to a checkpoint of each round, each older than what is there in the end. */
async function fill(stack: ChanceryProcess, owner: Database, issuer: FakeIssuer): Promise<StaleCheckpoint[]> {
  const scenario = SCENARIOS.find(({ name }) => name === "write");
  if (scenario === undefined) throw new Error("no scenario write");
  const stale: StaleCheckpoint[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const next = await scenario.prepare(stack, Math.ceil(V1 / (ROUNDS + 1)));
    await closedLoop(stack.url, { clients: 16, seconds: 60, expect: 201, next });
    stale.push(
      ...(await owner.query<StaleCheckpoint>(
        "SELECT p.size, p.time, p.root, p.note FROM log.published p JOIN log.log l ON l.id = p.log WHERE l.name = 'rekor'",
      )),
    );
  }
  const next = once(Array.from({ length: V2 }, v2Entry));
  await closedLoop(stack.url, { clients: 16, seconds: 60, expect: 201, next });
  await issue(stack, issuer, CERTIFICATES);
  return stale.slice(0, ROUNDS);
}

function v2Entry() {
  const { privateKey, publicKey } = KEYS;
  const artifact = randomBytes(32);
  const rawBytes = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  const verifier = { publicKey: { rawBytes }, keyDetails: "PKIX_ECDSA_P256_SHA_256" };
  const signature = { content: sign("sha256", artifact, privateKey).toString("base64"), verifier };
  const digest = createHash("sha256").update(artifact).digest("base64");
  return {
    method: "POST",
    path: "/api/v2/log/entries",
    ...json({ hashedRekordRequestV002: { digest, signature } }),
  } as const;
}
const KEYS = generateKeyPairSync("ec", { namedCurve: "P-256" });

async function issue(stack: ChanceryProcess, issuer: FakeIssuer, count: number): Promise<void> {
  // It makes some more than it is asked for.
  const next = once((await signingRequests(issuer, EMAIL, count)).slice(0, count));
  const { surprise } = await closedLoop(stack.url, { clients: 4, seconds: 60, expect: 200, next });
  if (surprise !== undefined) throw new Error(`a certificate was not issued: ${surprise}`);
}

/** An auditor of its own, who reads the installation by a way that can lie. */
async function startStranger(url: string, state: string, opened: AsyncDisposableStack): Promise<string> {
  const port = await freePort();
  const args = ["auditor", "--url", url, "--state", state, "--canary", "0", "--port", String(port)];
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: "ignore" });
  opened.defer(async () => {
    const ended = event(child, "exit");
    child.kill("SIGTERM");
    await ended;
  });
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/api/chancery/v1/audit`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await answers())) await delay(100);
  return `http://127.0.0.1:${port}`;
}

/** Signs a checkpoint as the log does, whatever it is given. */
export async function forge(data: string, origin: string, size: bigint, root: Uint8Array): Promise<string> {
  const key = createPrivateKey(await readFile(join(data, "keys", "rekor.pem")));
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const text = `${origin}\n${size}\n${Buffer.from(root).toString("base64")}\n`;
  const id = createHash("sha256").update(spki).digest().subarray(0, 4);
  const signature = Buffer.concat([id, sign("sha256", Buffer.from(text), key)]).toString("base64");
  return `${text}\n— ${origin.split(" - ", 1)[0]} ${signature}\n`;
}
