import { join } from "node:path";
import { Database, runningEmbedded, startEmbedded } from "@chancery/postgres";

const CONNECTIONS = 4;

/** Says on stderr what is read. Standard output is others' to parse. */
export type Tell = (text: string) => void;

/**
 * An installation's database, to be read: its own PostgreSQL may be running under `chancery serve`; else it runs while we read.
 * `tell` is for commands that do not name it in what they print: in another folder `./.chancery` is another one.
 */
export async function openInstallationDatabase(
  data: string,
  url: string | undefined,
  opened: AsyncDisposableStack,
  tell?: Tell,
): Promise<Database> {
  return (await openWithUrl(data, url, opened, tell)).db;
}

/** With the URL that it was opened by, for threads, which open it once more. It may hold a password. */
export async function openWithUrl(
  data: string,
  url: string | undefined,
  opened: AsyncDisposableStack,
  tell: Tell = () => {},
): Promise<{ readonly db: Database; readonly url: string }> {
  tell(`chancery: reads ${url === undefined ? `the installation in ${data}` : databaseNamed(url)}\n`);
  if (url !== undefined) return { db: opened.use(await Database.open(url, { max: CONNECTIONS })), url };
  const directory = join(data, "postgres");
  const running = await runningEmbedded(directory);
  const attached = running && (await Database.open(running, { max: CONNECTIONS }).catch(() => undefined));
  if (attached) return { db: opened.use(attached), url: running };
  const server = opened.use(await startEmbedded({ directory }));
  return { db: opened.use(await Database.open(server.url, { max: CONNECTIONS })), url: server.url };
}

const UNNAMED = "the database that it was told";
/** Host, port and name, of the letters that they are made of: whatever else stands there may be part of a password. */
const ADDRESS =
  /^postgres(?:ql)?:\/\/(?:.*@)?(?<place>(?:[\w.-]+|\[[\da-f:]+\]|(?:%2F[\w.-]+)+)?(?::\d{1,5})?\/[\w.-]*)$/i;

/** Host and name alone. A password may stand before the last @ and, as a parameter, behind the question mark. */
function databaseNamed(url: string): string {
  const [address = "", ...parameters] = url.split("?");
  const place = ADDRESS.exec(address)?.groups?.["place"];
  if (place === undefined || parameters.some((text) => text.includes("@"))) return UNNAMED;
  // A socket's folder can stand nowhere else.
  const socket = place.startsWith("/") ? (new URLSearchParams(parameters[0]).get("host") ?? "") : "";
  return `the database at ${socket}${place.replaceAll(/%2F/gi, "/")}`;
}
