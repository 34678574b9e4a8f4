import { createPublicKey } from "node:crypto";
import { mkdir, open, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import type { Alarm, AlarmStore } from "../domain/alarm.ts";
import type { NamedMemory } from "../domain/named-memory.ts";
import { type AuditedLog, LOG_KINDS, type LogKind } from "../public/served-log.ts";
import { replaceFile } from "./durable-file.ts";
import { LogFolder, type LogMemory, readMemory } from "./log-folder.ts";

const EVIDENCE_NAME = /^[A-Za-z0-9-]{1,100}\.json$/;

/** `log` is undefined where what is remembered of it is damaged. */
export interface RememberedLog {
  readonly name: string;
  readonly log: AuditedLog | undefined;
  readonly damage: unknown;
}

/**
 * All that an auditor remembers, in a folder of its own: what it judges (the database, the anchor) is no place for the
 * memory it judges by, and a folder can lie on a machine that has neither.
 */
export class StateFolder implements AlarmStore, NamedMemory {
  readonly directory: string;
  #writing: Promise<void> = Promise.resolve();

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(directory: string): Promise<StateFolder> {
    await mkdir(join(directory, "evidence"), { recursive: true, mode: 0o700 });
    await mkdir(join(directory, "logs"), { recursive: true, mode: 0o700 });
    return new StateFolder(directory);
  }

  log(name: string): Promise<LogFolder> {
    return LogFolder.open(join(this.directory, "logs", name.replaceAll("/", "_")));
  }

  /** Those that were ever watched, as they were first seen. One whose folder is taken away is forgotten. */
  async logs(): Promise<RememberedLog[]> {
    const folders = await readdir(join(this.directory, "logs"));
    const found = await Promise.all(
      folders.map(async (folder) => {
        const name = folder.replace(/^ctlog_/, "ctlog/");
        try {
          const memory = await readMemory(join(this.directory, "logs", folder, "state.json"));
          return memory === undefined ? [] : rememberedLog(name, memory);
        } catch (error) {
          return [{ name, log: undefined, damage: error }];
        }
      }),
    );
    return found.flat().toSorted((a, b) => placeOf(a.name) - placeOf(b.name) || (a.name < b.name ? 1 : -1));
  }

  async alarms(): Promise<Alarm[]> {
    return (await this.recall<Alarm[]>("alarms")) ?? [];
  }

  /** What cannot be read is put aside: an auditor without its old alarms is better than none. */
  async openAlarms(): Promise<{ readonly alarms: Alarm[]; readonly damaged: string | undefined }> {
    try {
      return { alarms: await this.alarms(), damaged: undefined };
    } catch {
      const damaged = join(this.directory, `alarms.json.damaged-${Date.now()}`);
      await rename(join(this.directory, "alarms.json"), damaged);
      return { alarms: [], damaged };
    }
  }

  async saveAlarms(alarms: readonly Alarm[]): Promise<void> {
    await this.remember("alarms", alarms);
  }

  /** A file of its own for each: nothing is ever written over. */
  async saveEvidence(name: string, evidence: object): Promise<string> {
    const path = join(this.directory, "evidence", `${name}.json`);
    await using file = await open(path, "wx", 0o600);
    await file.writeFile(`${JSON.stringify(evidence, plainly, 1)}\n`);
    await file.sync();
    return path;
  }

  async evidence(name: string): Promise<Uint8Array | undefined> {
    if (!EVIDENCE_NAME.test(name)) return undefined;
    return readFile(join(this.directory, "evidence", name)).catch(() => undefined);
  }

  async evidenceNames(): Promise<string[]> {
    return (await readdir(join(this.directory, "evidence"))).toSorted();
  }

  async remember(name: string, value: unknown): Promise<void> {
    const text = `${JSON.stringify(value, plainly)}\n`;
    const write = this.#writing.then(() => replaceFile(join(this.directory, `${name}.json`), text));
    this.#writing = write.catch(() => {});
    await write;
  }

  /** All that was to be remembered is, as far as it could be. */
  async written(): Promise<void> {
    await this.#writing;
  }

  async recall<T>(name: string): Promise<T | undefined> {
    const path = join(this.directory, `${name}.json`);
    try {
      return JSON.parse(await readFile(path, "utf8")) as T;
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
      throw new Misconfigured("auditor.state", `${path} is not whole or cannot be read`, { cause });
    }
  }
}

/** Of kinds of which there may be several. */
const KIND_PREFIXES: Readonly<Partial<Record<LogKind, string>>> = { rekor: "rekor-shard-", ctlog: "ctlog/" };

function kindOf(name: string): LogKind | undefined {
  return LOG_KINDS.find((one) => one === name || name.startsWith(KIND_PREFIXES[one] ?? "/"));
}

/** Of shards the newest comes first. */
function placeOf(name: string): number {
  return LOG_KINDS.findIndex((one) => one === kindOf(name));
}

function rememberedLog(name: string, { origin, signer, keys, path }: LogMemory): RememberedLog[] {
  const kind = kindOf(name);
  if (kind === undefined) return [];
  const signs = kind === "ctlog" ? ("tree head" as const) : ("text" as const);
  const publicKeys = keys.map((key) =>
    createPublicKey({ key: Buffer.from(key, "base64"), format: "der", type: "spki" }),
  );
  const identity = { origin, signer, signs, keys: publicKeys };
  const log = { name, kind, identity, ...(path !== undefined && { path }) };
  return [{ name, log, damage: undefined }];
}

function plainly(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
