import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Misconfigured } from "@chancery/fault";
import type { ConfigFile } from "./config-file.ts";
import { parseDatabaseUrl } from "./own-database.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What `chancery serve` was given on its command line. */
export interface ServeFlags {
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly url?: string | undefined;
  readonly data?: string | undefined;
  readonly anchor?: string | undefined;
  readonly config?: string | undefined;
  readonly "database-url"?: string | undefined;
  readonly "grpc-port"?: string | undefined;
  readonly "ca-key"?: string | undefined;
  readonly "ca-chain"?: string | undefined;
  readonly "ca-passphrase-file"?: string | undefined;
  readonly auditor?: string | undefined;
}

/** Where an installation is and where its database, for commands that ask for nothing else. */
export async function resolveStorage(flags: ServeFlags, environment: Environment): Promise<Storage> {
  const { chosen } = await openSources(flags, environment);
  return { ...folders(chosen), databaseUrl: databaseUrl(chosen("database-url", ""), environment) };
}

/** Absolute paths. */
export interface Folders {
  readonly data: string;
  /** The anchors of all logs, one folder each, and TUF's version floor. */
  readonly anchor: string;
}

export interface Storage extends Folders {
  /** Undefined: the embedded server under `data`. */
  readonly databaseUrl: string | undefined;
}

export function folders(chosen: Chosen): Folders {
  const data = resolve(chosen("data", DATA).value);
  const told = chosen("anchor", join(data, ANCHOR));
  const anchor = resolve(told.value);
  // Both have a folder `tuf`.
  if (anchor === data) throw new Misconfigured(told.key, `${anchor} is the data folder; name a folder of its own`);
  return { data, anchor };
}

/** `anew`: the file as it is by now, where it has been read already. */
export async function openSources(flags: ServeFlags, environment: Environment, anew?: ConfigFile) {
  refuseUnknownVariables(environment);
  const told = (name: keyof typeof VARIABLES) => tell(name, flags, environment);
  const path = told("config")?.value;
  // Its reader knows all that can be configured, and takes half a second to load: most commands are given no file.
  const file =
    anew ?? (path === undefined ? undefined : await (await import("./config-file.ts")).ConfigFile.read(path));
  const own = file?.own ?? {};
  const chosen: Chosen = (name, fallback) => {
    const inFile = own[name];
    return (
      told(name) ??
      (inFile === undefined
        ? { key: VARIABLES[name], value: fallback }
        : { key: `chancery.${name}`, value: String(inFile) })
    );
  };
  return { file, own, chosen, told };
}

const DATA = "./.chancery";
/** In the data folder, unless another place is said. */
export const ANCHOR = "anchor";

export type Chosen = (
  name: Exclude<keyof typeof VARIABLES, "config" | "grpc-port" | "auditor">,
  fallback: string,
) => Told;

/** A value and what to call it in a complaint. */
export interface Told {
  readonly key: string;
  readonly value: string;
}

/** An empty value is one that was not given: compose and shells pass `${UNSET}` on like that. */
function tell(name: keyof typeof VARIABLES, flags: ServeFlags, environment: Environment): Told | undefined {
  const flag = flags[name];
  if (flag !== undefined) {
    if (flag === "") throw new Misconfigured(`--${name}`, "must not be empty");
    return { key: `--${name}`, value: flag };
  }
  const value = environment[VARIABLES[name]];
  if (value === undefined || value === "") return undefined;
  // Kubernetes' own address of a service called chancery, put into every pod beside it; nobody wrote it for us.
  if ((name === "port" || name === "grpc-port") && /^(tcp|udp):\/\//.test(value)) return undefined;
  return { key: VARIABLES[name], value };
}

/** A misspelt variable is not "not given": with CHANCERY_DATBASE_URL the entries would go into another database. */
function refuseUnknownVariables(environment: Environment): void {
  const known: ReadonlySet<string> = new Set(Object.values(VARIABLES));
  const unknown = Object.keys(environment)
    .filter((name) => name.startsWith("CHANCERY_") && !known.has(name) && !OTHER_VARIABLES.has(name))
    .find((name) => !SERVICE_LINK.test(name));
  if (unknown !== undefined) {
    throw new Misconfigured(
      unknown,
      `there is no such setting; known are ${[...known, PASSWORD_FILE, PASSPHRASE].join(", ")}`,
    );
  }
}

const VARIABLES = {
  host: "CHANCERY_HOST",
  port: "CHANCERY_PORT",
  url: "CHANCERY_URL",
  data: "CHANCERY_DATA",
  anchor: "CHANCERY_ANCHOR",
  config: "CHANCERY_CONFIG",
  "database-url": "CHANCERY_DATABASE_URL",
  "grpc-port": "CHANCERY_GRPC_PORT",
  "ca-key": "CHANCERY_CA_KEY",
  "ca-chain": "CHANCERY_CA_CHAIN",
  "ca-passphrase-file": "CHANCERY_CA_PASSPHRASE_FILE",
  auditor: "CHANCERY_AUDITOR",
} as const;

const PASSWORD_FILE = "CHANCERY_DATABASE_PASSWORD_FILE";
/** Never a flag: the command line is shown to every user of the machine. */
export const PASSPHRASE = "CHANCERY_CA_PASSPHRASE";

/** Read elsewhere than in the table above: the password file here, the others by the test runner. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set([
  PASSWORD_FILE,
  PASSPHRASE,
  "CHANCERY_ROOT_PASSPHRASE",
  "CHANCERY_REQUIRE_CLIENTS",
  "CHANCERY_TEST_COUNTS",
]);

/** What Kubernetes puts into every pod for a service whose name begins with `chancery`. */
const SERVICE_LINK = /_SERVICE_HOST$|_SERVICE_PORT(_|$)|_PORT$|_PORT_\d+_(TCP|UDP)(_|$)/;

export function databaseUrl({ key, value }: Told, environment: Environment): string | undefined {
  const passwordFile = environment["CHANCERY_DATABASE_PASSWORD_FILE"] ?? "";
  if (value === "") {
    if (passwordFile === "") return undefined;
    throw new Misconfigured("CHANCERY_DATABASE_PASSWORD_FILE", "needs CHANCERY_DATABASE_URL");
  }
  const url = parseDatabaseUrl(value);
  // The value may hold a password, so no complaint repeats it.
  if (url === null) throw new Misconfigured(key, "must look like postgres://user@host:5432/database");
  if (passwordFile === "") return value;
  if (url.password !== "") throw new Misconfigured("CHANCERY_DATABASE_PASSWORD_FILE", `${key} has a password already`);
  url.password = encodeURIComponent(readPassword(passwordFile));
  return url.href;
}

function readPassword(file: string): string {
  try {
    return readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (cause) {
    throw new Misconfigured("CHANCERY_DATABASE_PASSWORD_FILE", `${file} cannot be read`, { cause });
  }
}
