import type { Finding, Report } from "../domain/alarm.ts";
import { sha256 } from "../domain/merkle.ts";
import { descriptionOf, type Metadata, readMetadata, type Role, TrustFault } from "../domain/trust/tuf.ts";
import { HttpLog, isNotServed, WATCHING, type Way } from "../public/http-log.ts";
import { awayFinding } from "./away.ts";
import { Unchecked, Wrong } from "./wrong.ts";

/** Where the timestamp is the same, all else is looked at so often. */
const WHOLE_MS = 60_000;
const UNREACHABLE_MS = 60_000;
/** A cache, or a process that reads the folder later, follows within this. */
const PROPAGATION_MS = 600_000;
/** Each place's; the first ones show what happened. */
const MOST_AWAITED = 20;
const EVIDENCE_BYTES = 65_536;

type Files = ReadonlyMap<string, Uint8Array>;

interface Around {
  readonly vantagePoints: readonly string[];
  readonly way: Way;
  readonly report: Report;
  readonly now: () => number;
  /** Every file that was held last at the main place, by its name below `/tuf`. */
  readonly held: () => Files | undefined;
  /** What the main place shows now. */
  readonly read: (file: string) => Promise<Uint8Array | undefined>;
}

/** What a place showed under a name that shows the same for ever, and the main place did not have. */
interface Awaited {
  readonly file: string;
  readonly version: number;
  readonly role: Role;
  readonly bytes: Uint8Array;
  readonly since: number;
  readonly seen: number;
}

interface Place {
  readonly base: string;
  readonly server: HttpLog;
  wasThere: boolean;
  wholeAt: number;
  /** Since when its timestamp has another version than the main place's. */
  apartSince: number | undefined;
  awaited: readonly Awaited[];
}

/**
 * The trust root as it is shown at vantage points. Who has its keys can sign a second one of the same versions and show it to
 * some clients alone: no version is ever seen with two contents, and what one place shows the main place shows soon.
 */
export class VantageTrust {
  readonly #around: Around;
  readonly #places: readonly Place[];

  constructor(around: Around) {
    this.#around = around;
    const { vantagePoints, way } = around;
    this.#places = vantagePoints.map((url) => {
      const base = `${url.replace(/\/+$/, "")}/tuf`;
      // As anyone asks it.
      const server = new HttpLog(base, { ...WATCHING, signal: way.signal });
      return { base, server, wasThere: false, wholeAt: -Infinity, apartSince: undefined, awaited: [] };
    });
  }

  async check(): Promise<void> {
    for (const place of this.#places) await this.#judge(place);
  }

  async #judge(place: Place): Promise<void> {
    const { report } = this.#around;
    const check = `trust root at ${place.base}`;
    try {
      const told = await this.#look(place);
      if (told !== undefined) report.passed(check, told);
    } catch (error) {
      place.wholeAt = -Infinity;
      if (error instanceof Unchecked) return report.unknown(check, error.message);
      await report.failed(check, findingOf(place, error));
    }
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
    if (bytes === undefined) throw new Unchecked(`${place.base} shows no trust root by now`);
    place.wasThere = true;
    const files = held();
    if (files === undefined) throw new Unchecked('no trust root was read by now (see "trust root")');
    const told = `${place.base} shows the trust root that the main place shows`;
    const isSame = isFile(files, "timestamp.json", bytes);
    if (isSame) place.apartSince = undefined;
    if (isSame && place.awaited.length === 0 && Math.abs(now() - place.wholeAt) < WHOLE_MS) return told;
    const timestamp = readMetadata("timestamp", bytes);
    await this.#holdRoots(place, files);
    await this.#holdNamed(place, timestamp, files);
    // What is signed for is held before whether it is late.
    if (!isSame) await this.#holdTimestamp(place, timestamp);
    place.wholeAt = now();
    return told;
  }

  async #holdTimestamp(place: Place, { version, bytes }: Metadata): Promise<void> {
    const { now, read } = this.#around;
    const main = await read("timestamp.json");
    if (main === undefined) throw new Unchecked("the main place shows no timestamp by now");
    const shown = readMetadata("timestamp", main).version;
    if (shown === version) {
      place.apartSince = undefined;
      return requireSame(place, { file: "timestamp.json", version, bytes }, main);
    }
    place.apartSince ??= now();
    if (Math.abs(now() - place.apartSince) < PROPAGATION_MS) return;
    const what = `${place.base} goes on showing version ${version} of timestamp.json, where the main place shows ${shown}`;
    throw new Wrong(version < shown ? "trust-rollback" : "split-view", what, evidenceOf(bytes, main));
  }

  /** Where a client begins there, and the roots that would follow. */
  async #holdRoots(place: Place, files: Files): Promise<void> {
    const start = await place.server.get("/root.json");
    if (start !== undefined && !isFile(files, "root.json", start)) {
      const first = readMetadata("root", start);
      const main = await this.#around.read("root.json");
      const isOfMain = main !== undefined && readMetadata("root", main).version === first.version;
      const shown = { file: "root.json", version: first.version, bytes: start };
      if (isOfMain) requireSame(place, shown, main);
      else await this.#hold(place, files, { ...first, file: `${first.version}.root.json` });
    }
    const newest = newestOf(files, "root");
    for (const version of [newest, newest + 1]) {
      const file = `${version}.root.json`;
      const bytes = await place.server.get(`/${file}`);
      if (bytes !== undefined) await this.#hold(place, files, { role: "root", version, bytes, file });
    }
  }

  async #holdNamed(place: Place, timestamp: Metadata, files: Files): Promise<void> {
    const snapshot = await this.#holdNext(place, files, { by: timestamp, role: "snapshot" });
    await this.#holdNext(place, files, { by: snapshot, role: "targets" });
  }

  async #holdNext(
    place: Place,
    files: Files,
    { by, role }: { readonly by: Metadata; readonly role: Role },
  ): Promise<Metadata> {
    const { version } = descriptionOf(by, `${role}.json`);
    const file = `${version}.${role}.json`;
    const bytes = await place.server.get(`/${file}`);
    if (bytes === undefined || version === undefined) throw new TrustFault(`${file}: is not there`);
    await this.#hold(place, files, { role, version, bytes, file });
    return readMetadata(role, bytes);
  }

  async #hold(place: Place, files: Files, shown: Omit<Awaited, "since" | "seen">): Promise<void> {
    const { file, role, version, bytes } = shown;
    if (isFile(files, file, bytes)) return;
    const main = files.get(file) ?? (await this.#around.read(file));
    if (main !== undefined) return requireSame(place, shown, main);
    // An older one may be kept no more; whether the place stays behind is told by its timestamp.
    if (version < newestOf(files, role)) return;
    const now = this.#around.now();
    const known = place.awaited.find((one) => one.file === file && Buffer.compare(one.bytes, bytes) === 0);
    const others = place.awaited.filter((one) => one !== known);
    const next = { file, role, version, bytes, since: known?.since ?? now, seen: now };
    place.awaited = [...others, next].slice(0, MOST_AWAITED);
  }

  /** What was shown for a moment is awaited at the main place all the same. */
  async #judgeAwaited(place: Place): Promise<void> {
    const now = this.#around.now();
    const files = this.#around.held() ?? new Map<string, Uint8Array>();
    for (const one of place.awaited) {
      const main = await this.#around.read(one.file);
      const isOver = main !== undefined || one.version < newestOf(files, one.role);
      const isLongGone = now - one.seen >= 2 * PROPAGATION_MS;
      if (isOver || isLongGone) place.awaited = place.awaited.filter((other) => other !== one);
      if (main !== undefined) requireSame(place, one, main);
      if (isOver || isLongGone || now - one.since < PROPAGATION_MS) continue;
      const what = `${place.base} shows ${one.file}, which the main place does not have`;
      throw new Wrong("split-view", what, evidenceOf(one.bytes, undefined));
    }
  }
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

function requireSame(place: Place, shown: Pick<Awaited, "file" | "version" | "bytes">, main: Uint8Array): void {
  const { file, version, bytes } = shown;
  if (Buffer.compare(bytes, main) === 0) return;
  const what = `${place.base} shows another ${file} of version ${version} than the main place`;
  throw new Wrong("split-view", what, evidenceOf(bytes, main));
}

function evidenceOf(shown: Uint8Array, main: Uint8Array | undefined): object {
  return { shown: beginningOf(shown), sha256: sha256(shown).toHex(), main: main && beginningOf(main) };
}

function beginningOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, EVIDENCE_BYTES)).toString("utf8");
}
