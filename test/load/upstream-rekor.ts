import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findProgram } from "@chancery/testing";
import type { UpstreamProcess } from "./upstream-process.ts";

/** Of upstream's Rekor: v1 with Trillian on MariaDB and an index in Redis, or v2 on files. */
export type Generation = "v1" | "v2";

/** One of upstream's Rekors with all that it runs on. */
export interface UpstreamRekor extends AsyncDisposable {
  readonly generation: Generation;
  readonly url: string;
  /** Upstream's own. */
  readonly programs: readonly UpstreamProcess[];
  /** Below them. */
  readonly databases: readonly UpstreamProcess[];
}

/** Says what to install. */
export class MissingPrograms extends Error {}

/** In the folder that is given, under the names that `go install` gives them; the versions are those this was made with. */
const BUILT = {
  "rekor-server": { of: "v1", package: "github.com/sigstore/rekor/cmd/rekor-server@v1.5.4" },
  trillian_log_server: { of: "v1", package: "github.com/google/trillian/cmd/trillian_log_server@v1.7.3" },
  trillian_log_signer: { of: "v1", package: "github.com/google/trillian/cmd/trillian_log_signer@v1.7.3" },
  createtree: { of: "v1", package: "github.com/google/trillian/cmd/createtree@v1.7.3" },
  posix: { of: "v2", package: "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix@v2.3.0" },
} as const;

/** On PATH, from Debian's packages: MariaDB 10.11 and Redis 7.0. */
const FOUND = {
  go: { of: "both", package: "golang" },
  mariadbd: { of: "v1", package: "mariadb-server" },
  "mariadb-install-db": { of: "v1", package: "mariadb-server" },
  mariadb: { of: "v1", package: "mariadb-client" },
  "redis-server": { of: "v1", package: "redis-server" },
} as const;

export type ProgramName = keyof typeof BUILT | keyof typeof FOUND;

/** The path of a program. */
export type Programs = (name: ProgramName) => string;

/** All that the wanted generations need; throws `MissingPrograms` where one is not there. */
export function findUpstreamRekor(directory: string, wanted: ReadonlySet<Generation>): Programs {
  const paths = new Map<string, string>();
  const needed = (table: Readonly<Record<string, { readonly of: Generation | "both"; readonly package: string }>>) =>
    Object.entries(table).filter(([, { of }]) => of === "both" || wanted.has(of));
  for (const [name] of needed(BUILT)) paths.set(name, findProgram(name, [directory]) ?? "");
  for (const [name] of needed(FOUND)) paths.set(name, findServer(name) ?? "");
  const unbuilt = needed(BUILT).filter(([name]) => paths.get(name) === "");
  const unfound = needed(FOUND).filter(([name]) => paths.get(name) === "");
  if (unbuilt.length + unfound.length > 0) throw new MissingPrograms(whatIsMissing(directory, unbuilt, unfound));
  return (name) => paths.get(name) ?? name;
}

/** Debian keeps servers in a folder that is not on everybody's PATH. */
function findServer(name: string): string | undefined {
  return findProgram(name) ?? findProgram(name, ["/usr/sbin"]);
}

type Needed = readonly (readonly [string, { readonly package: string }])[];

function whatIsMissing(directory: string, unbuilt: Needed, unfound: Needed): string {
  const names = (needed: Needed) => needed.map(([name]) => name).join(", ");
  const missing = [
    ...(unbuilt.length > 0 ? [`${names(unbuilt)} in ${directory}`] : []),
    ...(unfound.length > 0 ? [`${names(unfound)} on PATH`] : []),
  ];
  const packages = [...new Set(unfound.map(([, needs]) => needs.package))];
  const lines = [
    ...(packages.length > 0 ? [`  apt-get install ${packages.join(" ")}`] : []),
    ...unbuilt.map(([, needs]) => `  GOBIN=${directory} go install ${needs.package}`),
  ];
  return `upstream's Rekor cannot run: there is no ${missing.join(", and no ")}. Install what is missing:\n${lines.join("\n")}`;
}

export const execute = promisify(execFile);

/** As the programs themselves tell them. */
export async function upstreamVersions(programs: Programs, wanted: ReadonlySet<Generation>): Promise<string> {
  const built = wanted.has("v1") ? (["rekor-server", "trillian_log_server"] as const) : [];
  const modules = [...built, ...(wanted.has("v2") ? (["posix"] as const) : [])].map((name) => moduleOf(programs, name));
  const told = (await Promise.all(modules)).map(({ path, version }) => `${path} ${version}`);
  if (!wanted.has("v1")) return told.join(", ");
  const [mariadb, redis] = await Promise.all(
    (["mariadbd", "redis-server"] as const).map((name) => execute(programs(name), ["--version"])),
  );
  return [...told, `MariaDB ${number(mariadb?.stdout)}`, `Redis ${number(redis?.stdout)}`].join(", ");
}

function number(text = ""): string {
  return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? "of an unknown version";
}

/** The Go module that a program was built from. */
export async function moduleOf(programs: Programs, name: ProgramName): Promise<{ path: string; version: string }> {
  const { stdout } = await execute(programs("go"), ["version", "-m", programs(name)]);
  const [, path, version] = /^\tmod\t(\S+)\t(\S+)/m.exec(stdout) ?? [];
  if (path !== undefined && version !== undefined) return { path, version };
  throw new Error(`${programs(name)} does not say what it was built from`);
}
