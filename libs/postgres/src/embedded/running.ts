import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

/**
 * Where the server that another process of ours runs on a directory listens; undefined when it never ran. It may have
 * stopped: only connecting tells.
 */
export async function runningEmbedded(directory: string): Promise<string | undefined> {
  const read = async (name: string) => (await readFile(join(resolve(directory), name), "utf8").catch(() => "")).trim();
  const [password, socket] = [await read("password"), await read("socket-directory")];
  if (password === "" || socket === "") return undefined;
  return `postgres://chancery:${password}@/chancery?host=${encodeURIComponent(socket)}`;
}
