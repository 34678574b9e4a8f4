import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** CPU seconds that a process tree has used: the program itself, and all it started (PostgreSQL). */
export interface TreeCpu {
  readonly program: number;
  readonly children: number;
  /** Resident bytes of the program itself. */
  readonly resident: number;
}

/** USER_HZ is 100 on every Linux that Node runs on; pages are 4 KiB on x86-64 and most arm64. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

interface Stat {
  readonly parent: number;
  readonly own: number;
  /** Of children that have ended and were waited for: a PostgreSQL backend that closed is counted there. */
  readonly ended: number;
  readonly resident: number;
}

/** Reads /proc (Linux). The numbers are after the last `)`: a process's name may hold spaces. */
export function treeCpu(pid: number): TreeCpu {
  const stats = new Map<number, Stat>();
  for (const name of readdirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : undefined;
    if (stat !== undefined) stats.set(Number(name), stat);
  }
  const program = stats.get(pid);
  if (program === undefined) throw new Error(`no process ${pid}`);
  let children = program.ended;
  const queue = [pid];
  for (let parent = queue.pop(); parent !== undefined; parent = queue.pop()) {
    for (const [child, stat] of stats) {
      if (stat.parent !== parent) continue;
      children += stat.own + stat.ended;
      queue.push(child);
    }
  }
  return {
    program: program.own / TICKS_PER_SECOND,
    children: children / TICKS_PER_SECOND,
    resident: program.resident,
  };
}

/** The process of the server in a folder of `startEmbedded`. */
export function postmasterPid(directory: string): number {
  return Number(readFileSync(join(directory, "data", "postmaster.pid"), "utf8").split("\n", 1)[0]);
}

function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const at = (index: number) => fields[index] ?? 0;
    return { parent: at(1), own: at(11) + at(12), ended: at(13) + at(14), resident: at(21) * PAGE_BYTES };
  } catch {
    return undefined;
  }
}
