import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Auditor, type AuditorOptions, type AuditStatus } from "@chancery/auditor";
import { Database, runningEmbedded } from "@chancery/postgres";
import { auditIndex } from "../src/audited-index.ts";
import type { ServeFlags } from "../src/index.ts";
import { startTestStack, type TestStack } from "./start-stack.ts";

/** How a test changes what is stored, and changes it back. */
export interface Tampering {
  readonly where: string;
  readonly change: readonly Statement[];
  readonly back: readonly Statement[];
}
export type Statement = readonly [sql: string, ...params: unknown[]];

/** Undefined: there is no such thing. */
export type Lie = (truth: Buffer) => Uint8Array | string | undefined;

const AT_ONCE = 32;

/** A whole stack with real entries and certificates, its database as its machine's owner has it, and an auditor who may look there. */
export class TamperedStack implements AsyncDisposable {
  readonly stack: TestStack;
  readonly owner: Database;
  readonly #opened: AsyncDisposableStack;

  private constructor(stack: TestStack, owner: Database, opened: AsyncDisposableStack) {
    this.stack = stack;
    this.owner = owner;
    this.#opened = opened;
  }

  static async start(flags: ServeFlags = {}): Promise<TamperedStack> {
    await using opening = new AsyncDisposableStack();
    const stack = opening.use(await startTestStack(flags));
    const url = await runningEmbedded(join(stack.data, "postgres"));
    if (url === undefined) throw new Error("the embedded PostgreSQL does not run");
    const owner = opening.use(await Database.open(url, { max: 4 }));
    return new TamperedStack(stack, owner, opening.move());
  }

  /** `name` is a folder of the auditor's own. */
  async auditor(name: string, options: Partial<AuditorOptions> & { tokenUrl?: string } = {}) {
    const { tokenUrl, ...others } = options;
    const told: string[] = [];
    const auditor = await Auditor.open({
      url: this.stack.url,
      state: join(this.stack.data, name),
      verifyIndex: (log, tree, around) => auditIndex(this.owner, log, tree, { ...around, everyMs: 0 }),
      insight: { db: this.owner, anchor: join(this.stack.data, "anchor") },
      told: {
        alarm: (_alarm, text) => told.push(text),
        failed: (what, error) => told.push(`${what}: ${String(error)}`),
      },
      ...(tokenUrl === undefined ? {} : { canary: { everyMs: 60_000, token: { url: tokenUrl } } }),
      ...others,
    });
    this.#opened.use(auditor);
    return auditor;
  }

  async logV1(count: number): Promise<void> {
    await this.#times(count, async () => {
      const { privateKey, artifact, digest } = anArtifact();
      const pem = createPublicKey(privateKey).export({ type: "spki", format: "pem" });
      await this.#post("/api/v1/log/entries", {
        apiVersion: "0.0.1",
        kind: "hashedrekord",
        spec: {
          data: { hash: { algorithm: "sha256", value: digest.toString("hex") } },
          signature: {
            content: sign("sha256", artifact, privateKey).toString("base64"),
            publicKey: { content: Buffer.from(pem).toString("base64") },
          },
        },
      });
    });
  }

  /** One after the other: a batch each, and so a row each in the tiles. */
  async logV2(count: number): Promise<void> {
    for (let left = count; left > 0; left--) await this.#logOneV2();
  }

  async #logOneV2(): Promise<void> {
    const { privateKey, artifact, digest } = anArtifact();
    const rawBytes = createPublicKey(privateKey).export({ type: "spki", format: "der" }).toString("base64");
    await this.#post("/api/v2/log/entries", {
      hashedRekordRequestV002: {
        digest: digest.toString("base64"),
        signature: {
          content: sign("sha256", artifact, privateKey).toString("base64"),
          verifier: { publicKey: { rawBytes }, keyDetails: "PKIX_ECDSA_P256_SHA_256" },
        },
      },
    });
  }

  /** Undefined: a token of the identity provider that is there in development. */
  async issue(count: number, given?: string): Promise<void> {
    const email = "dev@example.com";
    const token = given ?? (await (await fetch(`${this.stack.url}/idp/token?email=${email}`)).text()).trim();
    await this.#times(count, async () => {
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      await this.#post("/api/v2/signingCert", {
        credentials: { oidcIdentityToken: token },
        publicKeyRequest: {
          publicKey: { algorithm: "ECDSA", content: publicKey.export({ type: "spki", format: "pem" }) },
          proofOfPossession: sign("sha256", Buffer.from(email), privateKey).toString("base64"),
        },
      });
    });
  }

  /** As whoever owns the machine could, with no trigger in the way. */
  async run(statements: readonly Statement[]): Promise<void> {
    await this.owner.transaction(async (tx) => {
      await tx.query("SET LOCAL session_replication_role = replica");
      for (const [sql, ...params] of statements) {
        const changed = await tx.query(`${sql} RETURNING 1`, params);
        if (changed.length === 0) throw new Error(`changes nothing: ${sql} ${String(params)}`);
      }
    });
  }

  async logId(name: string): Promise<number> {
    const [row] = await this.owner.query<{ id: number }>("SELECT id FROM log.log WHERE name = $1", [name]);
    if (row === undefined) throw new Error(`no log ${name}`);
    return row.id;
  }

  /** Another way to the stack, on which a path answers what its lie makes of the truth. */
  async liar(): Promise<{ readonly url: string; readonly lies: Map<string, Lie> }> {
    const liar = { url: "", lies: new Map<string, Lie>() };
    const server = createServer((request, response) => {
      void (async () => {
        const { method = "GET", url = "" } = request;
        const body = method === "POST" ? Buffer.concat(await request.toArray()) : undefined;
        const headers = { "Content-Type": request.headers["content-type"] ?? "application/json" };
        const answer = await fetch(this.stack.url + url, { method, headers, ...(body && { body }) });
        const truth = Buffer.from(await answer.arrayBuffer());
        const lie = liar.lies.get(url);
        const bytes = lie === undefined ? truth : lie(truth);
        const isMadeUp = lie !== undefined && answer.status === 404;
        response.writeHead(bytes === undefined ? 404 : isMadeUp ? 200 : answer.status).end(bytes);
      })();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#opened.defer(async () => void server.close());
    liar.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return liar;
  }

  /** Signs as the log does, whatever it is given. */
  async forger(): Promise<(origin: string, size: number, root: Uint8Array) => string> {
    const key = createPrivateKey(await readFile(join(this.stack.data, "keys", "rekor.pem")));
    const spki = createPublicKey(key).export({ type: "spki", format: "der" });
    const hash = createHash("sha256").update(spki).digest().subarray(0, 4);
    return (origin, size, root) => {
      const text = `${origin}\n${size}\n${Buffer.from(root).toString("base64")}\n`;
      const signature = Buffer.concat([hash, sign("sha256", Buffer.from(text), key)]).toString("base64");
      return `${text}\n— ${origin.split(" - ", 1)[0]} ${signature}\n`;
    };
  }

  async #times(count: number, work: () => Promise<void>): Promise<void> {
    let left = count;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (left-- > 0) await work();
      }),
    );
  }

  async #post(path: string, body: object): Promise<void> {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(this.stack.url + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

/** Rows taken away, and put back as they were. */
export async function deleted(db: Database, table: string, where: string, params: unknown[]): Promise<Tampering> {
  const rows = await db.query<{ row: string }>(
    `SELECT to_jsonb(t)::text AS row FROM ${table} t WHERE ${where}`,
    params,
  );
  return {
    where: `${table} ${params.join("/")}`,
    change: [[`DELETE FROM ${table} WHERE ${where}`, ...params]],
    back: rows.map(({ row }) => [
      `INSERT INTO ${table} SELECT * FROM jsonb_populate_record(NULL::${table}, $1::jsonb)`,
      row,
    ]),
  };
}

function anArtifact(): { privateKey: KeyObject; artifact: Buffer; digest: Buffer } {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const artifact = randomBytes(32);
  return { privateKey, artifact, digest: createHash("sha256").update(artifact).digest() };
}

/** But for this machine's own disk and clock. */
export function failing(status: AuditStatus): string[] {
  const ours = status.checks.filter(({ name }) => !/^(disk|clock)/.test(name));
  return ours.filter(({ state }) => state === "failing").map(({ name, what }) => `${name}: ${what}`);
}

/** Of what a check sees now: what came and went often stays open for a while. */
export function openAlarms(status: AuditStatus): AuditStatus["alarms"] {
  return status.alarms.filter(({ resolved, quietSince }) => resolved === undefined && quietSince === undefined);
}

export function openTroubles(status: AuditStatus): string[] {
  return openAlarms(status).map(({ trouble }) => trouble);
}

/** Where a checkpoint of the v1 log is shown: by its tree's ID, to who names none, and as upstream's JSON. */
export async function checkpointPaths(url: string): Promise<string[]> {
  const note = await (await fetch(`${url}/api/v1/log/checkpoint`)).text();
  const shard = `/api/v1/log/shards/${/ - (\d+)\n/.exec(note)?.[1]}/checkpoint`;
  return [shard, "/api/v1/log/checkpoint", "/api/v1/log"];
}

/** The same answer with another checkpoint in it. */
export function withCheckpoint(truth: string, forge: (origin: string) => string): string {
  if (!truth.startsWith("{")) return forge(truth.split("\n", 1)[0]!);
  const answer = JSON.parse(truth) as { signedTreeHead: string };
  return JSON.stringify({ ...answer, signedTreeHead: forge(answer.signedTreeHead.split("\n", 1)[0]!) });
}
