import { randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { accepts, answers, freePorts, startUpstream, type UpstreamProcess } from "./upstream-process.ts";
import { execute, moduleOf, type Programs, type UpstreamRekor } from "./upstream-rekor.ts";

interface Database {
  readonly process: UpstreamProcess;
  /** As Trillian is told it. */
  readonly uri: string;
}

/**
 * Upstream's Rekor v1 (made with 1.5.4, Trillian 1.7.3, MariaDB 10.11, Redis 7.0), as fast as it was found to be: its
 * signer looks every 20 ms and takes 5,000 at once, search keys are in Redis. Everything is durable as upstream has it:
 * MariaDB flushes each commit, Redis each second. Of all ports only Rekor's metrics cannot be told another place than
 * 2112 of every address; where that is taken, it does without.
 */
export async function startUpstreamRekorV1(programs: Programs, directory: string): Promise<UpstreamRekor> {
  const folder = await mkdtemp(join(directory, "upstream-v1-"));
  await using open = new AsyncDisposableStack();
  const [redisPort = 0, rpcPort = 0, httpPort = 0, signerRpcPort = 0, signerHttpPort = 0, port = 0] =
    await freePorts(6);
  const server = async (...args: Parameters<typeof startUpstream>) => open.use(await startUpstream(...args));

  const database = await startMariaDb(programs, folder, server);
  const listening = ["--bind", "127.0.0.1", "--port", String(redisPort)];
  const appending = ["--dir", folder, "--save", "", "--appendonly", "yes"];
  const redis = await server(programs("redis-server"), [...listening, ...appending], folder, () => accepts(redisPort));

  const rpc = `127.0.0.1:${rpcPort}`;
  const storage = ["--storage_system=mysql", "--quota_system=noop", `--mysql_uri=${database.uri}`];
  const logServer = await server(
    programs("trillian_log_server"),
    [...storage, `--rpc_endpoint=${rpc}`, `--http_endpoint=127.0.0.1:${httpPort}`],
    folder,
    async () => (await answers(`http://127.0.0.1:${httpPort}/healthz`)) && (await accepts(rpcPort)),
  );
  const sequencing = ["--force_master", "--sequencer_interval=20ms", "--batch_size=5000"];
  const endpoints = [`--rpc_endpoint=127.0.0.1:${signerRpcPort}`, `--http_endpoint=127.0.0.1:${signerHttpPort}`];
  const signer = await server(programs("trillian_log_signer"), [...storage, ...endpoints, ...sequencing], folder, () =>
    answers(`http://127.0.0.1:${signerHttpPort}/healthz`),
  );
  const { stdout: tree } = await execute(programs("createtree"), [`--admin_server=${rpc}`]);

  const url = `http://127.0.0.1:${port}`;
  const trillian = ["--trillian_log_server.address=127.0.0.1", `--trillian_log_server.port=${rpcPort}`];
  const log = [`--trillian_log_server.tlog_id=${tree.trim()}`, "--rekor_server.signer=memory", "--log_type=prod"];
  const own = ["--rekor_server.address=127.0.0.1", `--port=${port}`, "--rekor_server.hostname=bench"];
  const index = ["--search_index.storage_provider=redis", "--redis_server.address=127.0.0.1"];
  const rekor = await server(
    programs("rekor-server"),
    ["serve", ...own, ...trillian, ...log, ...index, `--redis_server.port=${redisPort}`],
    folder,
    () => answers(`${url}/ping`),
  );

  const all = open.move();
  return {
    generation: "v1",
    url,
    programs: [rekor, logServer, signer],
    databases: [database.process, redis],
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/**
 * Its root is whoever runs this, by the socket in `folder` that nobody else can reach; over TCP, which upstream uses,
 * there is Trillian's user alone. Each of 128 clients has a connection or two, for which the usual 151 do not do.
 */
async function startMariaDb(
  programs: Programs,
  folder: string,
  server: (...args: Parameters<typeof startUpstream>) => Promise<UpstreamProcess>,
): Promise<Database> {
  const [port = 0] = await freePorts(1);
  const { username, uid } = userInfo();
  const data = ["--no-defaults", `--datadir=${join(folder, "mariadb")}`, ...(uid === 0 ? ["--user=root"] : [])];
  const root = ["--auth-root-authentication-method=socket", `--auth-root-socket-user=${username}`];
  await execute(programs("mariadb-install-db"), [...data, ...root, "--skip-test-db", "--skip-name-resolve"]);
  const socket = join(folder, "mariadb.sock");
  const listening = ["--bind-address=127.0.0.1", `--port=${port}`, `--socket=${socket}`, "--skip-name-resolve"];
  const mariaDb = await server(
    programs("mariadbd"),
    [...data, ...listening, "--innodb-flush-log-at-trx-commit=1", "--max-connections=1000"],
    folder,
    () => accepts(port),
  );
  const password = randomBytes(16).toString("hex");
  const prepared =
    "CREATE DATABASE trillian; USE trillian;" +
    `CREATE USER trillian@'127.0.0.1' IDENTIFIED BY '${password}'; GRANT ALL ON trillian.* TO trillian@'127.0.0.1';`;
  const client = [programs("mariadb"), "--no-defaults", `--socket=${socket}`, `--user=${username}`];
  await tell(client, `${prepared}\n${await trillianSchema(programs, folder)}`);
  return {
    process: mariaDb,
    uri: `trillian:${password}@tcp(127.0.0.1:${port})/trillian?parseTime=true&interpolateParams=true`,
  };
}

async function tell([program = "", ...args]: readonly string[], text: string): Promise<void> {
  const child = spawn(program, args, { stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stdin.end(text);
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${program}: ${said}`);
}

/** Of the very version that the log server was built from; `go install` has left its source where Go keeps modules. */
async function trillianSchema(programs: Programs, folder: string): Promise<string> {
  const { path, version } = await moduleOf(programs, "trillian_log_server");
  const { stdout } = await execute(programs("go"), ["mod", "download", "-json", `${path}@${version}`], { cwd: folder });
  const { Dir } = JSON.parse(stdout) as { Dir: string };
  return await readFile(join(Dir, "storage/mysql/schema/storage.sql"), "utf8");
}
