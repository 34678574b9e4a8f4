import type { ChanceryProcess } from "@chancery/testing";
import { treeCpu } from "./process-cpu.ts";
import { temporaryFolder, type UpstreamProcess } from "./upstream-process.ts";
import type { Generation, Programs, UpstreamRekor } from "./upstream-rekor.ts";
import { startUpstreamRekorV1 } from "./upstream-rekor-v1.ts";
import { startUpstreamRekorV2 } from "./upstream-rekor-v2.ts";

/** CPU seconds so far: of the programs, and of the databases below them. */
export interface Cpu {
  readonly programs: number;
  readonly databases: number;
}

/** A Rekor as it is measured. */
export interface RekorServer {
  readonly name: string;
  readonly url: string;
  /** What of the requests it answers; ours answers both. */
  readonly generations: ReadonlySet<Generation>;
  /** Entries that its reads find. */
  readonly fill: number;
  /** More than it can answer in a second. */
  readonly mostPerSecond: number;
  cpu(): Cpu;
  /** What is resident now, in words. */
  memory(): string;
  /** Between its turns. */
  pause(): void;
  resume(): void;
}

/** So many that no row of the database is always the same. */
const FILL = 5_000;
/** Upstream's v1 takes two or three seconds for them. */
const UPSTREAM_FILL = 600;
const BOTH: ReadonlySet<Generation> = new Set<Generation>(["v1", "v2"]);

export function ours(stack: ChanceryProcess): RekorServer {
  return {
    name: "ours",
    url: stack.url,
    generations: BOTH,
    fill: FILL,
    mostPerSecond: 6_000,
    cpu: () => {
      const { program, children } = treeCpu(stack.pid);
      return { programs: program, databases: children };
    },
    // Its processes share memory, and the sum of theirs is not what it takes.
    memory: () => `${mebibytes(treeCpu(stack.pid).resident)} without its PostgreSQL`,
    pause: () => undefined,
    resume: () => undefined,
  };
}

/** Those that are wanted; they stand still until their turn. */
export async function startUpstreams(
  open: AsyncDisposableStack,
  programs: Programs,
  wanted: ReadonlySet<Generation>,
): Promise<readonly RekorServer[]> {
  if (wanted.size === 0) return [];
  const directory = await temporaryFolder(open);
  const start = { v1: startUpstreamRekorV1, v2: startUpstreamRekorV2 };
  const servers: RekorServer[] = [];
  for (const generation of wanted) {
    const server = upstream(open.use(await start[generation](programs, directory)));
    // One that is to end may ask its database once more.
    open.defer(() => server.resume());
    servers.push(server);
  }
  for (const server of servers) server.pause();
  return servers;
}

function upstream({ generation, url, programs, databases }: UpstreamRekor): RekorServer {
  const all = [...programs, ...databases];
  return {
    name: `upstream's Rekor ${generation}`,
    url,
    generations: new Set([generation]),
    fill: UPSTREAM_FILL,
    mostPerSecond: 2_500,
    cpu: () => ({ programs: cpuOf(programs), databases: cpuOf(databases) }),
    memory: () => {
      const below = databases.length > 0 ? `, its databases ${mebibytes(residentOf(databases))}` : "";
      return `${mebibytes(residentOf(programs))}${below}`;
    },
    pause: () => all.forEach((one) => one.pause()),
    resume: () => all.forEach((one) => one.resume()),
  };
}

function cpuOf(processes: readonly UpstreamProcess[]): number {
  return processes.map(({ pid }) => treeCpu(pid)).reduce((sum, { program, children }) => sum + program + children, 0);
}

function residentOf(processes: readonly UpstreamProcess[]): number {
  return processes.reduce((sum, { pid }) => sum + treeCpu(pid).resident, 0);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
