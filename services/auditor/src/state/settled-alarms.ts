import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { type Alarm, type SettlingReport, standsForOthers, timeOf } from "../domain/alarm.ts";
import type { Trouble } from "../domain/troubles.ts";
import { replaceFile } from "./durable-file.ts";
import { StateFolder } from "./state-folder.ts";

/** An operator's word that an alarm is over, a file each: who said it, why and when stays on record. */
interface Settled {
  readonly alarm: string;
  readonly trouble: Trouble;
  readonly what: string;
  readonly because: string;
  readonly at: string;
}

/** Alarms of what cannot be mended, for nothing brings a row back of which there is no copy, and of what may be meant. */
const SETTLED: ReadonlySet<Trouble> = new Set([
  "unlogged-certificate",
  "unledgered-certificate",
  "lost-ledger",
  "changed-ledger",
  "unconfirmed-issuer",
  "unkept-rows",
  "certificate-mismatch",
  "certificate-profile",
  "trust-added",
  "frozen",
]);
/** How the subject begins of an entry whose time is not of when it came: nothing tells anew when that was, and no row ends it. */
export const MISDATED = "misdated entry ";
const MOST_CHARACTERS = 500;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Open alarms that an operator can settle. */
export async function settleable(state: string): Promise<Alarm[]> {
  return (await openAlarms(state)).filter((alarm) => isOfWord(alarm) && !standsForOthers(alarm));
}

/** The auditor that works in the folder takes it up at its next look. */
export async function settleAlarm(state: string, id: string, because: string, now: number): Promise<Alarm> {
  const alarm = (await openAlarms(state)).find((one) => one.id === id);
  if (alarm === undefined || !UUID.test(id)) throw new Misconfigured("alarm", `${id} is no open alarm of ${state}`);
  const { trouble, what } = alarm;
  if (!isOfWord(alarm)) {
    throw new Misconfigured("alarm", `${trouble} is over when its check passes, and at nobody's word`);
  }
  // Nobody has seen what it stands for, and the next look would tell it again.
  if (standsForOthers(alarm)) {
    const which = "it stands for others that were not told one by one";
    throw new Misconfigured(
      "alarm",
      `${which}: settle those that are told, then these are, and it is over with the last`,
    );
  }
  if (because.trim() === "" || because.length > MOST_CHARACTERS || /\p{Cc}/u.test(because)) {
    throw new Misconfigured("--because", `is one line of 1 to ${MOST_CHARACTERS} characters`);
  }
  const folder = join(state, "settled");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const settled: Settled = { alarm: id, trouble, what, because, at: timeOf(now) };
  await replaceFile(join(folder, `${id}.json`), `${JSON.stringify(settled)}\n`);
  return alarm;
}

/** A time that was changed after it was seen is over when its row is mended. */
function isOfWord({ trouble, subject }: Alarm): boolean {
  return SETTLED.has(trouble) || (trouble === "changed-beside" && subject?.startsWith(MISDATED) === true);
}

async function openAlarms(state: string): Promise<Alarm[]> {
  // Not opened: what is no auditor's folder is not made one.
  const names = await readdir(state).catch((): string[] => []);
  if (!names.includes("alarms.json"))
    throw new Misconfigured("--state", `${state} is no folder of an auditor's alarms`);
  const alarms = await (await StateFolder.open(state)).alarms();
  return alarms.filter(({ resolved }) => resolved === undefined);
}

/** What was settled: the same told again is no alarm, and anything else is. */
export class SettledAlarms {
  readonly #folder: string;
  readonly #read = new Set<string>();
  readonly #settled = new Set<string>();

  constructor(state: string) {
    this.#folder = join(state, "settled");
  }

  /** Resolves to those that are new since the last time. */
  async refresh(): Promise<readonly Settled[]> {
    const names = await readdir(this.#folder).catch((): string[] => []);
    const fresh = names.filter((name) => name.endsWith(".json") && !this.#read.has(name));
    const found: Settled[] = [];
    for (const name of fresh) {
      const settled = await readSettled(join(this.#folder, name));
      this.#read.add(name);
      if (settled === undefined) continue;
      this.#settled.add(keyOf(settled.trouble, settled.what));
      found.push(settled);
    }
    return found;
  }

  /** Reads what is new, and ends the alarms that it is of. */
  async endAlarms(report: Pick<SettlingReport, "settled">): Promise<void> {
    for (const { trouble, what, because } of await this.refresh()) {
      report.settled(trouble, what, `an operator settled it: ${because}`);
    }
  }

  has(trouble: Trouble, what: string): boolean {
    return this.#settled.has(keyOf(trouble, what));
  }
}

/** What is not whole settles nothing. */
async function readSettled(path: string): Promise<Settled | undefined> {
  try {
    const settled = JSON.parse(await readFile(path, "utf8")) as Partial<Settled>;
    const { alarm, trouble, what, because, at } = settled;
    const isWhole = [alarm, trouble, what, because, at].every((member) => typeof member === "string");
    return isWhole && trouble !== undefined && (SETTLED.has(trouble) || trouble === "changed-beside")
      ? (settled as Settled)
      : undefined;
  } catch {
    return undefined;
  }
}

function keyOf(trouble: Trouble, what: string): string {
  return `${trouble}: ${what}`;
}
