import { countedEntries } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import type { TransparencyLog } from "@chancery/log";
import { type Installation, type LogName, logsOf } from "./installation.ts";

/**
 * All logs of an installation: those of before first, and those that are new where these say that it is their database.
 * Another one may still be named by mistake, most often that of another installation, or it was put back to an older
 * state: a log made and anchored there could never be made in the right one, and a shard would go on from an end that its
 * indexes do not begin at.
 */
export async function openNewLast(
  installation: Pick<Installation, "rekorShards" | "awaitsLogs">,
  open: (name: LogName) => Promise<TransparencyLog>,
): Promise<ReadonlyMap<LogName, TransparencyLog>> {
  const { rekorShards, awaitsLogs } = installation;
  const logs = new Map<LogName, TransparencyLog>();
  const requireWell = async () => {
    for (const log of logs.values()) refuse(await log.readiness());
    for (const { name, length } of rekorShards) refuse(await otherEnd(name, logs.get(name), length));
  };
  const names = logsOf(installation);
  for (const name of names.filter((one) => !awaitsLogs.includes(one))) logs.set(name, await open(name));
  for (const name of names.filter((one) => awaitsLogs.includes(one))) {
    await requireWell();
    logs.set(name, await open(name));
  }
  // Nothing has been served yet, and who confirms what was made can make it nowhere else.
  if (awaitsLogs.length > 0) await requireWell();
  return logs;
}

/** Of a shard that is followed. */
async function otherEnd(
  name: LogName,
  log: TransparencyLog | undefined,
  length: bigint | undefined,
): Promise<string | undefined> {
  if (log === undefined || length === undefined) return undefined;
  if (!log.state.frozen)
    return `log ${name}: it was frozen for ever, and its database says that it takes entries again`;
  const { size } = (await log.published()).head;
  return size === length ? undefined : `log ${name}: it was frozen with ${countedEntries(length)}, and has ${size}`;
}

function refuse(reason: string | undefined): void {
  if (reason !== undefined) throw new Misconfigured("CHANCERY_DATABASE_URL", `cannot hold new logs: ${reason}`);
}
