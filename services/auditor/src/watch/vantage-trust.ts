import type { Finding, Report } from "../domain/alarm.ts";
import { sha256 } from "../domain/merkle.ts";
import type { NamedMemory } from "../domain/named-memory.ts";
import {
  descriptionOf,
  type Metadata,
  readMetadata,
  type Role,
  type RootKeys,
  rootKeys,
  TrustFault,
  verifyMetadata,
} from "../domain/trust/tuf.ts";
import { HttpLog, isNotServed, WATCHING, type Way, withoutEndSlashes } from "../public/http-log.ts";
import { awayFinding } from "./away.ts";
import { type Apart, type AwaitedFile, VantageMemory } from "./vantage-memory.ts";
import { Unchecked, Wrong } from "./wrong.ts";

/** Where the timestamp is the same, all else is looked at so often. */
const WHOLE_MS = 60_000;
const UNREACHABLE_MS = 60_000;
/** A cache, or a process that reads the folder later, follows within this. */
const PROPAGATION_MS = 600_000;
/** Each place's; the first ones show what happened. */
const MOST_AWAITED = 20;
/** Beside the first. What is shown is verified under the keys of each. */
const MOST_ROOTS = 9;
const EVIDENCE_BYTES = 65_536;

type Files = ReadonlyMap<string, Uint8Array>;

interface Around {
  readonly vantagePoints: readonly string[];
  readonly way: Way;
  readonly report: Report;
  readonly now: () => number;
  /** Every file that was held last at the main place, by its name below `/tuf`. */
  readonly held: () => Files | undefined;
  /** From where a client begins there to the newest. */
  readonly roots: () => readonly Metadata[];
  /** What the main place shows now. */
  readonly read: (file: string) => Promise<Uint8Array | undefined>;
  readonly memory: NamedMemory;
}

interface Place {
  readonly base: string;
  readonly server: HttpLog;
  wasThere: boolean;
  wholeAt: number;
  apart: Apart | undefined;
  awaited: readonly AwaitedFile[];
}

interface Shown {
  readonly file: string;
  readonly role: Role;
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** One look at a place. */
interface Look {
  readonly place: Place;
  readonly files: Files;
  /** Of the roots that are trusted, and of others that the place shows, which those signed: who has them signs anything. */
  readonly keys: RootKeys[];
  readonly faults: unknown[];
}

/**
 * The trust root as it is shown at vantage points. Who has its keys can sign a second one of the same versions and show it to
 * some clients alone: no version is ever seen with two contents, and what one place shows the main place shows soon. What
 * the keys did not sign is no second trust root: a mirror that is damaged, or somebody who answers there.
 */
export class VantageTrust {
  readonly #around: Around;
  readonly #places: readonly Place[];
  readonly #memory: VantageMemory;
  #isRecalled = false;

  constructor(around: Around) {
    this.#around = around;
    this.#memory = new VantageMemory(around.memory);
    const { vantagePoints, way } = around;
    this.#places = vantagePoints.map((url) => {
      const base = `${withoutEndSlashes(url)}/tuf`;
      // As anyone asks it.
      const server = new HttpLog(base, { ...WATCHING, signal: way.signal });
      return { base, server, wasThere: false, wholeAt: -Infinity, apart: undefined, awaited: [] };
    });
  }

  async check(): Promise<void> {
    for (const place of this.#places) await this.#judge(place);
    await this.#memory.remember(this.#places);
  }

  async #judge(place: Place): Promise<void> {
    const { report } = this.#around;
    const check = `trust root at ${place.base}`;
    try {
      await this.#recall();
      const told = await this.#look(place);
      if (told !== undefined) report.passed(check, told);
    } catch (error) {
      place.wholeAt = -Infinity;
      if (error instanceof Unchecked) return report.unknown(check, error.message);
      await report.failed(check, findingOf(place, error));
    }
  }

  async #recall(): Promise<void> {
    if (this.#isRecalled) return;
    for (const { base, apart, awaited } of await this.#memory.recall()) {
      const place = this.#places.find((one) => one.base === base);
      if (place !== undefined) Object.assign(place, { apart, awaited });
    }
    this.#isRecalled = true;
  }

  async #look(place: Place): Promise<string | undefined> {
    try {
      return await this.#holdAll(place);
    } finally {
      // Whatever the place does now, what it showed is awaited.
      await this.#judgeAwaited(place);
    }
  }

  /** Undefined where there never was one: a proxy may show the logs alone. */
  async #holdAll(place: Place): Promise<string | undefined> {
    const { held, now } = this.#around;
    const bytes = await timestampOf(place);
    if (bytes === undefined && !place.wasThere) return undefined;
    if (bytes === undefined) throw new Error("it shows none any more");
    place.wasThere = true;
    const files = held();
    if (files === undefined) throw new Unchecked('no trust root was read by now (see "trust root")');
    const told = `${place.base} shows the trust root that the main place shows`;
    const isSame = isFile(files, "timestamp.json", bytes);
    if (isSame) place.apart = undefined;
    if (isSame && place.awaited.length === 0 && Math.abs(now() - place.wholeAt) < WHOLE_MS) return told;
    const timestamp = readMetadata("timestamp", bytes);
    const look: Look = { place, files, keys: keysOf(place, this.#around.roots()), faults: [] };
    await this.#holdRoots(look);
    await collect(look, async () => {
      if (!isSame) await this.#requireSigned(look, { file: "timestamp.json", ...timestamp });
      await this.#holdNamed(look, timestamp);
    });
    // What is signed for is held before whether it is late.
    if (!isSame) await collect(look, () => this.#holdTimestamp(look, timestamp));
    throwWorst(look);
    place.wholeAt = now();
    return told;
  }

  /** Where a client begins there, and the roots that would follow. */
  async #holdRoots(look: Look): Promise<void> {
    const { place, files } = look;
    await collect(look, async () => {
      const start = await place.server.get("/root.json");
      if (start === undefined || isFile(files, "root.json", start)) return;
      const { version } = readMetadata("root", start);
      const main = await this.#around.read("root.json");
      const shownAs = (file: string): Shown => ({ file, role: "root", version, bytes: start });
      const isOfMain = main !== undefined && readMetadata("root", main).version === version;
      if (isOfMain) requireSame(look, shownAs("root.json"), main);
      else await this.#hold(look, shownAs(`${version}.root.json`));
    });
    const newest = newestOf(files, "root");
    for (const version of [newest, newest + 1]) {
      await collect(look, async () => {
        const file = `${version}.root.json`;
        const bytes = await place.server.get(`/${file}`);
        if (bytes !== undefined) await this.#hold(look, { file, role: "root", version, bytes });
      });
    }
  }

  async #requireSigned(look: Look, shown: Shown): Promise<void> {
    if (isSigned(look, shown)) return;
    const main = await this.#around.read(shown.file);
    const isOfMain = main !== undefined && readMetadata(shown.role, main).version === shown.version;
    if (isOfMain) requireSame(look, shown, main);
    const what = `${look.place.base} shows version ${shown.version} of ${shown.file}; ${unsigned(shown)}`;
    throw new Wrong("trust-invalid", what, evidenceOf(shown.bytes, main));
  }

  async #holdNamed(look: Look, timestamp: Metadata): Promise<void> {
    const snapshot = await this.#holdNext(look, timestamp, "snapshot");
    await this.#holdNext(look, snapshot, "targets");
  }

  async #holdNext(look: Look, by: Metadata, role: Role): Promise<Metadata> {
    const { version } = descriptionOf(by, `${role}.json`);
    const file = `${version}.${role}.json`;
    const bytes = await look.place.server.get(`/${file}`);
    if (bytes === undefined || version === undefined) throw new TrustFault(`${file}: is not there`);
    await this.#hold(look, { role, version, bytes, file });
    return readMetadata(role, bytes);
  }

  async #hold(look: Look, shown: Shown): Promise<void> {
    const { place, files, keys } = look;
    const { file, role, version, bytes } = shown;
    if (isFile(files, file, bytes)) return;
    const main = files.get(file) ?? (await this.#around.read(file));
    if (main !== undefined) return requireSame(look, shown, main);
    if (!isSigned(look, shown)) throw otherOf(look, shown, undefined);
    // An older one may be kept no more; whether the place stays behind is told by its timestamp.
    if (version < newestOf(files, role)) return;
    if (role === "root") keys.push(rootKeys(readMetadata(role, bytes)));
    const now = this.#around.now();
    const print = sha256(bytes).toHex();
    const known = place.awaited.find((one) => one.file === file && one.sha256 === print);
    const others = place.awaited.filter((one) => one !== known);
    const beginning = role === "root" ? Buffer.from(bytes).toString("utf8") : beginningOf(bytes);
    const next = { file, role, version, sha256: print, beginning, since: known?.since ?? now, seen: now };
    place.awaited = [...others, next].slice(0, MOST_AWAITED);
  }

  async #holdTimestamp(look: Look, { version, bytes }: Metadata): Promise<void> {
    const { now, read } = this.#around;
    const { place } = look;
    const main = await read("timestamp.json");
    if (main === undefined) throw new Unchecked("the main place shows no timestamp by now");
    const shown = readMetadata("timestamp", main).version;
    if (shown === version) {
      place.apart = undefined;
      return requireSame(look, { file: "timestamp.json", role: "timestamp", version, bytes }, main);
    }
    const behind = Math.min(version, shown);
    // Whichever was behind has followed meanwhile, and was not looked at, when this is another release. And by a clock that
    // was set back nothing says how long it was.
    const isOther = place.apart !== undefined && behind > place.apart.behind;
    const isSetBack = place.apart !== undefined && place.apart.since > now();
    if (place.apart === undefined || isOther || isSetBack) place.apart = { since: now(), behind };
    if (now() - place.apart.since < PROPAGATION_MS) return;
    const what = `${place.base} goes on showing version ${version} of timestamp.json, where the main place shows ${shown}`;
    throw new Wrong(version < shown ? "trust-rollback" : "split-view", what, evidenceOf(bytes, main));
  }

  /** What was shown for a moment is awaited at the main place all the same. */
  async #judgeAwaited(place: Place): Promise<void> {
    const now = this.#around.now();
    const files = this.#around.held();
    // What the main place has meanwhile, and what is older than that, is not known yet.
    if (files === undefined) return;
    // By a clock that was set back it is waited for from now on, and not until that time comes again.
    const notLater = (time: number) => Math.min(time, now);
    place.awaited = place.awaited.map((one) => ({ ...one, since: notLater(one.since), seen: notLater(one.seen) }));
    for (const one of place.awaited) {
      const main = await this.#around.read(one.file);
      const isOver = main !== undefined || one.version < newestOf(files, one.role);
      const isLongGone = now - one.seen >= 2 * PROPAGATION_MS;
      const isOther = main !== undefined && sha256(main).toHex() !== one.sha256;
      if (isLongGone || (isOver && !isOther)) place.awaited = place.awaited.filter((other) => other !== one);
      // What is long gone is told this once: nobody looked while this auditor was down.
      if (!isOther && (isOver || now - one.since < PROPAGATION_MS)) continue;
      const evidence = {
        shown: beginningOf(Buffer.from(one.beginning)),
        sha256: one.sha256,
        main: main && beginningOf(main),
      };
      throw new Wrong("split-view", `${otherText(place, one, main)}; ${SIGNED}`, evidence);
    }
  }
}

const SIGNED = "the keys of the trust root signed it";

function unsigned({ role }: Shown): string {
  const beside = role === "root" ? ", but for those that begin there without a checksum" : "";
  return `the keys of the trust root did not sign it: it is damaged or forged, and clients refuse it${beside}`;
}

/** Those of where clients begin, and of the newest roots: who has lagged behind shows what the older ones signed. */
function keysOf({ awaited }: Place, trusted: readonly Metadata[]): RootKeys[] {
  const roots = awaited.filter(({ role }) => role === "root");
  // Of one that was remembered by halves the keys are not known.
  const next = roots.flatMap(({ beginning, sha256: print }) => {
    const bytes = Buffer.from(beginning);
    return sha256(bytes).toHex() === print ? [readMetadata("root", bytes)] : [];
  });
  const older = [...trusted.slice(0, 1), ...trusted.slice(1).slice(-MOST_ROOTS)];
  return [...older, ...next].map(rootKeys);
}

function isSigned({ keys }: Look, { role, bytes }: Shown): boolean {
  const metadata = readMetadata(role, bytes);
  // Most roots change none of the keys of a role; a large file takes a good part of a second for each.
  const others = new Map(
    keys.map((one) => [JSON.stringify([one.roles[role].threshold, ...one.roles[role].keys]), one]),
  );
  return [...others.values()].some((one) => {
    try {
      verifyMetadata(metadata, one);
      return true;
    } catch (error) {
      if (error instanceof TrustFault) return false;
      throw error;
    }
  });
}

/** What is wrong with one file hides nothing that is wrong with another. */
async function collect({ faults }: Look, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    faults.push(error);
  }
}

function throwWorst({ faults }: Look): void {
  const wrongs = faults.filter((fault) => fault instanceof Wrong);
  const worst = wrongs.find(({ trouble }) => trouble === "split-view") ?? wrongs[0] ?? faults[0];
  if (worst !== undefined) throw worst;
}

function findingOf({ base }: Place, error: unknown): Finding {
  if (error instanceof Wrong) return { trouble: error.trouble, what: error.message, evidence: error.evidence };
  if (error instanceof TrustFault) {
    // Between two of its answers it may have followed.
    return { trouble: "trust-invalid", what: `${base}: ${error.message}`, toleratedMs: UNREACHABLE_MS };
  }
  return awayFinding(`the trust root at ${base} could not be read`, error, { toleratedMs: UNREACHABLE_MS });
}

async function timestampOf({ server, wasThere }: Place): Promise<Uint8Array | undefined> {
  try {
    return await server.get("/timestamp.json");
  } catch (error) {
    if (!wasThere && isNotServed(error)) return undefined;
    throw error;
  }
}

function isFile(files: Files, file: string, bytes: Uint8Array): boolean {
  const held = files.get(file);
  return held !== undefined && Buffer.compare(held, bytes) === 0;
}

function newestOf(files: Files, role: Role): number {
  const versions = [...files.keys()].filter((file) => file.endsWith(`.${role}.json`)).map((file) => parseInt(file, 10));
  return Math.max(0, ...versions);
}

function requireSame(look: Look, shown: Shown, main: Uint8Array): void {
  if (Buffer.compare(shown.bytes, main) !== 0) throw otherOf(look, shown, main);
}

/** Both signed it is a split view; of what is not signed clients are told, and that nobody's keys are stolen. */
function otherOf(look: Look, shown: Shown, main: Uint8Array | undefined): Wrong {
  const what = otherText(look.place, shown, main);
  const evidence = evidenceOf(shown.bytes, main);
  if (!isSigned(look, shown)) return new Wrong("trust-invalid", `${what}; ${unsigned(shown)}`, evidence);
  if (shown.role === "root") look.keys.push(rootKeys(readMetadata("root", shown.bytes)));
  return new Wrong("split-view", `${what}; ${SIGNED}`, evidence);
}

function otherText({ base }: Place, { file, version }: Pick<Shown, "file" | "version">, main?: Uint8Array): string {
  return main === undefined
    ? `${base} shows ${file}, which the main place does not have`
    : `${base} shows another ${file} of version ${version} than the main place`;
}

function evidenceOf(shown: Uint8Array, main: Uint8Array | undefined): object {
  return { shown: beginningOf(shown), sha256: sha256(shown).toHex(), main: main && beginningOf(main) };
}

function beginningOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, EVIDENCE_BYTES)).toString("utf8");
}
