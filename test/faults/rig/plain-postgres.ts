import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { unprivilegedAccount } from "../../../libs/postgres/src/embedded/account.ts";
import { locateBinaries } from "../../../libs/postgres/src/embedded/binaries.ts";
import { nameForServer, serverEnvironment } from "../../../libs/postgres/src/embedded/cluster.ts";
import { createSocketDirectory } from "../../../libs/postgres/src/embedded/socket-directory.ts";
import { Database, startEmbedded } from "../../../libs/postgres/src/index.ts";

export interface PlainPostgres extends AsyncDisposable {
  readonly url: string;
}

/** A PostgreSQL as an administrator runs it: what its configuration says holds, durable or not. */
export async function startPlainPostgres(directory: string, ...settings: readonly string[]): Promise<PlainPostgres> {
  const embedded = await startEmbedded({ directory });
  await embedded.stop();
  const data = join(directory, "data");
  const account = await unprivilegedAccount(data);
  const { postgres } = await locateBinaries(account, () => {});
  const sockets = await createSocketDirectory(directory, account);
  const all = ["listen_addresses=", `unix_socket_directories=${sockets}`, ...settings].flatMap((each) => ["-c", each]);
  const server = spawn(postgres, ["-D", nameForServer(data, account), ...all], {
    ...account,
    cwd: data,
    env: serverEnvironment(),
    stdio: "ignore",
  });
  const ended = once(server, "close");
  const url = embedded.url.replace(/host=.*/, `host=${encodeURIComponent(sockets)}`);
  await untilItAnswers(url);
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.kill("SIGINT");
      await ended;
      await rm(sockets, { recursive: true, force: true });
    },
  };
}

async function untilItAnswers(url: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await (await Database.open(url, { max: 1 })).close();
      return;
    } catch (error) {
      if (tries > 500) throw error;
      await delay(20);
    }
  }
}
