import type { SettlingReport } from "../domain/alarm.ts";
import { noteText, openCheckpoint } from "../domain/checkpoint.ts";
import { Difference } from "../domain/difference.ts";
import type { NamedMemory } from "../domain/named-memory.ts";
import type { ClientsHeads, ClientsPlace } from "../public/clients-heads.ts";
import { isNotServed, OtherAnswer, Refused } from "../public/http-log.ts";
import { awayFinding } from "./away.ts";
import { type Findings, judgeAll } from "./findings.ts";
import type { LogWatch } from "./log-watch.ts";
import { messageOf, Unchecked, Wrong, wrongOf } from "./wrong.ts";

/** Behind a balancer one process may show a new shard before another names it. */
const UNNAMED_MS = 60_000;
/** What is shown of no tree and goes, and comes again within this, was there all the time. */
const QUIET_MS = 600_000;
/** A process that was not started anew after a new shard was made goes on showing the one before. */
const FOLLOWED_MS = 600_000;
/** The first ones show what happened. */
const MOST_UNNAMED = 100;
const FILE = "unnamed-trees";
const SHOWN_FILE = "shown-to-clients";

interface Around {
  readonly report: SettlingReport;
  readonly now: () => number;
  /** Those of the v1 log, oldest first, whether all of them are watched that should be, and a look for more of them. */
  readonly shards: () => readonly LogWatch[];
  readonly isWhole: () => boolean;
  /** Resolves to whether the installation said which there are. */
  readonly find: () => Promise<boolean>;
  readonly memory: NamedMemory;
}

/** Since when, without a longer break, it is so at a place. */
interface Spell {
  readonly since: number;
  readonly last: number;
}

/**
 * The v1 log as clients see it who name no tree, asked once however many shards there are: each checkpoint is judged by the
 * watch of its tree. One of a tree that nobody watches is what could be shown to clients and to no auditor.
 */
export class ClientsWatch {
  readonly #places: readonly ClientsPlace[];
  readonly #around: Around;
  /** Places that ever showed a checkpoint. */
  #shown: Set<string> | undefined;
  /** Checks of places that never did, and of which something was told. */
  readonly #told = new Set<string>();
  readonly #spells = new Map<string, Spell>();
  /** Checkpoints of trees that nobody watches, signed by a key of the log: since when, in milliseconds since 1970. */
  #unnamed: Map<string, number> | undefined;

  constructor(places: readonly ClientsPlace[], around: Around) {
    this.#places = places;
    this.#around = around;
  }

  /** `isPatient`: what may come right by itself is given the time. */
  async check({ isPatient = true } = {}): Promise<void> {
    for (const place of this.#places) await this.#look(place, isPatient);
    await this.#judge("unnamed trees", (findings) => this.#judgeUnnamed(isPatient, findings));
  }

  async #look(place: ClientsPlace, isPatient: boolean): Promise<void> {
    const check = `checkpoint at ${place.url}`;
    let shown: ReadonlySet<string> | undefined;
    let heads: ClientsHeads | undefined;
    try {
      shown = await this.#recallShown();
      heads = await place.heads();
      if (heads === undefined && shown.has(place.url)) throw new ShowsNone("it shows no checkpoint any more");
    } catch (error) {
      if (shown?.has(place.url) === false) return this.#neverShown(check, place, error);
      // Else a history that is shown to clients alone is had by refusing the auditor.
      return this.#around.report.failed(check, awayFinding(`${couldNotHave(place)}${hintOn(error)}`, error));
    }
    const isNote = heads !== undefined && isNoteLike(heads.active);
    // A web page for every path.
    const isOther = !isNote && !place.isMain && !shown.has(place.url);
    if (heads === undefined || isOther) return this.#showsNone(check, place);
    await this.#judge(check, (findings) => this.#judgeHeads(heads, { url: place.url, isPatient }, findings));
    if (isNote && !shown.has(place.url)) await this.#rememberShown(place.url);
  }

  /** A proxy that passes on the logs alone answers for the rest as it likes; clients are shown nothing there either. */
  async #neverShown(check: string, place: ClientsPlace, error: unknown): Promise<void> {
    const { report } = this.#around;
    if (isNotServed(error) || (!place.isMain && error instanceof OtherAnswer)) return this.#showsNone(check, place);
    this.#told.add(check);
    if (place.isMain || !(error instanceof Refused)) {
      return report.failed(check, awayFinding(couldNotHave(place), error));
    }
    report.unknown(check, `no checkpoint was ever shown at ${place.url}: ${messageOf(error)}`);
  }

  #showsNone(check: string, { url }: ClientsPlace): void {
    if (this.#told.delete(check)) this.#around.report.notAsked(check, `no checkpoint is shown to clients at ${url}`);
  }

  async #judgeHeads(heads: ClientsHeads, place: Place, findings: Findings): Promise<string> {
    if (this.#around.shards().length === 0) throw new Unchecked("no shard of the v1 log is watched by now");
    const told: string[] = [];
    const unchecked: string[] = [];
    for (const note of [heads.active, ...heads.inactive]) {
      await findings.collect(async () => {
        try {
          told.push(await this.#judgeNote(note, place));
        } catch (error) {
          if (!(error instanceof Unchecked)) throw error;
          unchecked.push(error.message);
        }
      });
    }
    await findings.collect(() => this.#requireNewest(heads.active, place));
    if (unchecked.length > 0) throw new Unchecked(unchecked.join("; "));
    return told.join("; ");
  }

  async #judgeNote(note: Uint8Array, place: Place): Promise<string> {
    const known = this.#watchOf(note);
    if (known !== undefined) return known.judgeShown(note, place);
    if (this.#isSigned(note)) await this.#keep(note);
    const found = await this.#watchFound(note);
    if (found !== undefined) return found.judgeShown(note, place);
    const unnamed = `${place.url} shows a checkpoint of the tree ${originOf(note)}, which is not among the shards of the v1 log`;
    if (!this.#around.isWhole()) throw new Unchecked(`${unnamed} that are watched by now`);
    if (!this.#lasts(`unnamed ${place.url}`, UNNAMED_MS) && place.isPatient) throw new Unchecked(unnamed);
    throw new Wrong("unnamed-tree", unnamed, { note: noteText(note) }, subjectOf(note));
  }

  /** Whatever an origin is that is of no tree of this log, is for the newest shard to judge. */
  #watchOf(note: Uint8Array): LogWatch | undefined {
    const [origin, shards] = [originOf(note), this.#around.shards()];
    const own = shards.find(({ log }) => log.identity.origin === origin);
    const isOfATree = shards.some(({ log }) => isTreeOf(origin, log.identity.origin));
    return own ?? (isOfATree ? undefined : shards.at(-1));
  }

  /** A shard that was made a moment ago is shown before it is looked for. */
  async #watchFound(note: Uint8Array): Promise<LogWatch | undefined> {
    if (!(await this.#around.find())) throw new Unchecked("the installation does not say which shards there are");
    return this.#watchOf(note);
  }

  #requireNewest(note: Uint8Array, place: Place): void {
    const newest = this.#around.shards().at(-1)?.log;
    const shown = this.#watchOf(note)?.log;
    const key = `followed ${place.url}`;
    if (newest === undefined || shown === undefined || shown === newest) return void this.#spells.delete(key);
    if (!this.#lasts(key, FOLLOWED_MS)) return;
    const what = `${place.url} shows ${shown.name} as the shard that takes entries, which ${newest.name} has followed`;
    throw new Wrong("stale", what, { note: noteText(note) });
  }

  #lasts(key: string, milliseconds: number): boolean {
    const [now, before] = [this.#around.now(), this.#spells.get(key)];
    const since = before === undefined || now - before.last > QUIET_MS ? now : before.since;
    this.#spells.set(key, { since, last: now });
    return now - since >= milliseconds;
  }

  /** A second tree that the log's key signed is one for ever, also where it was shown once. */
  async #judgeUnnamed(isPatient: boolean, findings: Findings): Promise<string> {
    const unnamed = await this.#recall();
    for (const [text, since] of unnamed) {
      const note = Buffer.from(text);
      const watch = this.#watchOf(note);
      if (watch !== undefined) {
        await watch.folder.keepUnproven(note);
        unnamed.delete(text);
        await this.#save();
      } else if (this.#around.isWhole() && (!isPatient || this.#around.now() - since >= UNNAMED_MS)) {
        const what = `a checkpoint of the tree ${originOf(note)} was shown, signed by a key of the v1 log, which has no such shard`;
        findings.add(new Wrong("unnamed-tree", what, { note: text }, subjectOf(note)));
      }
    }
    return "no checkpoint was shown of a tree that is none of the v1 log's";
  }

  #isSigned(note: Uint8Array): boolean {
    const origin = originOf(note);
    return this.#around.shards().some(({ log }) => {
      try {
        openCheckpoint(note, { ...log.identity, origin });
        return true;
      } catch (error) {
        if (error instanceof Difference) return false;
        throw error;
      }
    });
  }

  async #keep(note: Uint8Array): Promise<void> {
    const [unnamed, text] = [await this.#recall(), noteText(note)];
    if (unnamed.has(text) || unnamed.size >= MOST_UNNAMED) return;
    unnamed.set(text, this.#around.now());
    await this.#save();
  }

  async #recallShown(): Promise<ReadonlySet<string>> {
    return (this.#shown ??= new Set((await this.#around.memory.recall<readonly string[]>(SHOWN_FILE)) ?? []));
  }

  async #rememberShown(url: string): Promise<void> {
    const shown = new Set(await this.#recallShown()).add(url);
    await this.#around.memory.remember(SHOWN_FILE, [...shown]);
    this.#shown = shown;
  }

  async #recall(): Promise<Map<string, number>> {
    return (this.#unnamed ??= new Map((await this.#around.memory.recall<readonly [string, number][]>(FILE)) ?? []));
  }

  async #save(): Promise<void> {
    await this.#around.memory.remember(FILE, [...(this.#unnamed ?? [])]);
  }

  async #judge(check: string, work: (findings: Findings) => Promise<string>): Promise<void> {
    await judgeAll(check, work, {
      report: this.#around.report,
      couldNot: "what clients are shown of the v1 log could not be checked",
      wrongOf: (difference) => wrongOf("rekor", difference),
      goneBack: async () => undefined,
      beside: "nobody",
    });
  }
}

interface Place {
  readonly url: string;
  readonly isPatient: boolean;
}

/** 404, or an answer without one. */
class ShowsNone extends Error {}

function couldNotHave({ url }: ClientsPlace): string {
  return `what clients are shown at ${url} is not to be had`;
}

function hintOn(error: unknown): string {
  const isClosed = isNotServed(error) || error instanceof OtherAnswer || error instanceof ShowsNone;
  return isClosed
    ? ` (if it was closed on purpose, take ${SHOWN_FILE}.json out of this auditor's folder while it is stopped)`
    : "";
}

/** It has signature lines, c2sp.org/signed-note, whoever made them. */
function isNoteLike(note: Uint8Array): boolean {
  return Buffer.from(note).includes("\n\n— ");
}

function originOf(note: Uint8Array): string {
  const [origin = ""] = noteText(note.subarray(0, 4_096)).split("\n", 1);
  return origin;
}

function subjectOf(note: Uint8Array): string {
  return `unnamed tree ${originOf(note)}`;
}

/** `<host> - <tree ID>`, of the same host. */
function isTreeOf(origin: string, other: string): boolean {
  const begin = other.replace(/\d+$/, "");
  return origin.startsWith(begin) && /^\d{1,19}$/.test(origin.slice(begin.length));
}
