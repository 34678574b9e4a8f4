import type { Finding, Report } from "../domain/alarm.ts";
import { sha256 } from "../domain/merkle.ts";
import { plainFileFault, plainFileNames } from "../domain/trust/plain-file.ts";
import { indexedSumFault, trustIndexFault } from "../domain/trust/trust-index.ts";
import type { Targets } from "../domain/trust/trusted-party.ts";
import { HttpLog, isNotServed, WATCHING, type Way, withoutEndSlashes } from "../public/http-log.ts";
import { awayFinding } from "./away.ts";

const EVERY_MS = 60_000;
const UNREACHABLE_MS = 60_000;
/** What was true a moment ago is shown by caches, and by a process that is not yet started anew. */
const PROPAGATION_MS = 600_000;
const EVIDENCE_BYTES = 65_536;
/** It is a target, and held against it whenever the targets are read. */
const HELD_ALREADY = "trusted_root.json";
/** `/trust` itself. */
const INDEX = "";

interface Place {
  readonly server: HttpLog;
  readonly isMain: boolean;
  /** Files that it had since the start. */
  readonly had: Set<string>;
}

interface Around {
  readonly url: string;
  readonly vantagePoints: readonly string[];
  readonly way: Way;
  readonly report: Report;
  readonly now: () => number;
  /** Where clients begin, as it was held last. */
  readonly root: () => Uint8Array | undefined;
  /** Reads the targets anew; undefined: none could be read by now. */
  readonly refresh: () => Promise<Targets | undefined>;
}

/**
 * The files below `/trust`, for who does without TUF: nothing signs them, so that whoever has the server alone could show
 * keys of his own to those who copy them. They are held against the targets, at every place.
 */
export class PlainTrust {
  readonly #around: Around;
  readonly #places: readonly Place[];
  /** The newest first, and those that were it a while ago. */
  #held: readonly { readonly targets: Targets; readonly last: number }[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(around: Around) {
    this.#around = around;
    const { url, vantagePoints, way } = around;
    // Vantage points are asked as anyone asks them.
    this.#places = [
      placeAt(url, way, true),
      ...vantagePoints.map((one) => placeAt(one, { signal: way.signal }, false)),
    ];
  }

  /** `targets` are those that were read last, and hold; undefined: none were by now. */
  async check(targets: Targets | undefined): Promise<void> {
    if (targets === undefined) return;
    const { now } = this.#around;
    const isNew = this.#hold(targets);
    if (!isNew && Math.abs(now() - this.#lookedAt) < EVERY_MS) return;
    this.#lookedAt = now();
    for (const place of this.#places) {
      // What is wrong or away is looked at again at once.
      if (!(await this.#look(place))) this.#lookedAt = Number.NEGATIVE_INFINITY;
    }
  }

  /** Resolves to whether they are others than before. */
  #hold(targets: Targets): boolean {
    const last = this.#around.now();
    const isSame = this.#held[0] !== undefined && areSame(this.#held[0].targets, targets);
    const before = isSame ? this.#held.slice(1) : this.#held;
    this.#held = [{ targets, last }, ...before.filter((one) => Math.abs(last - one.last) < PROPAGATION_MS)];
    return !isSame;
  }

  async #look(place: Place): Promise<boolean> {
    const { report } = this.#around;
    const { base } = place.server;
    const check = `trust files at ${base}`;
    try {
      const files = await this.#read(place);
      let findings = this.#judge(place, files);
      if (findings.length > 0) {
        // What was published since the targets were read is no other's.
        const targets = await this.#around.refresh();
        if (targets !== undefined) this.#hold(targets);
        findings = this.#judge(place, files);
      }
      for (const name of files.keys()) place.had.add(name);
      if (findings.length > 0) await report.failedAll(check, findings, true);
      else
        report.passed(
          check,
          `${base} and the files below it, ${files.size}, hold what the trust root names, and nothing else`,
        );
      return findings.length === 0;
    } catch (error) {
      const away = awayFinding(`${base} could not be read`, error, { toleratedMs: UNREACHABLE_MS });
      await report.failed(check, away);
      return false;
    }
  }

  async #read({ server, isMain, had }: Place): Promise<Map<string, Uint8Array>> {
    const files = new Map<string, Uint8Array>();
    for (const name of [...plainFileNames(this.#held[0]?.targets ?? new Map()), INDEX]) {
      if (isMain && name === HELD_ALREADY) continue;
      const bytes = await server.get(name === INDEX ? "" : `/${name}`).catch((error: unknown) => {
        if (!isMain && !had.has(name) && isNotServed(error)) return;
        throw error;
      });
      if (bytes !== undefined) files.set(name, bytes);
    }
    return files;
  }

  /**
   * Other versions have other files, and a proxy may have none: what is not there deceives nobody, and is missed only where
   * this auditor saw it since it was started, which it is anew with another version beside it.
   */
  #judge({ server, had }: Place, files: ReadonlyMap<string, Uint8Array>): Finding[] {
    const found: Finding[] = [];
    for (const [name, bytes] of files) {
      const isIndex = name === INDEX;
      const fault = isIndex ? this.#indexFault(server, bytes) : this.#faultOf(name, bytes);
      const told = fault ?? (isIndex ? this.#sumFault(bytes, files) : undefined);
      if (told === undefined) continue;
      const what = `${urlOf(server, name)}: ${told}`;
      const evidence = { name, file: Buffer.from(bytes.subarray(0, EVIDENCE_BYTES)).toString("base64") };
      const subject = `trust file ${name} ${sha256(bytes).toHex()}`;
      // The sums: of two processes one may not be started anew yet.
      const toleratedMs = fault === undefined ? PROPAGATION_MS : 0;
      found.push({ trouble: "trust-invalid", what, evidence, subject, toleratedMs });
    }
    for (const name of had) {
      if (files.has(name)) continue;
      const what = `${urlOf(server, name)}: is no longer there`;
      found.push({ trouble: "trust-invalid", what, toleratedMs: UNREACHABLE_MS, subject: what });
    }
    return found;
  }

  #faultOf(name: string, bytes: Uint8Array): string | undefined {
    return this.#sinceHeld((targets) => plainFileFault(name, bytes, targets));
  }

  #indexFault({ base }: HttpLog, bytes: Uint8Array): string | undefined {
    const [root, { origin }] = [this.#around.root(), new URL(base)];
    if (root === undefined) return undefined;
    return this.#sinceHeld((targets) => trustIndexFault(bytes, { targets, root, origin }));
  }

  #sumFault(bytes: Uint8Array, files: ReadonlyMap<string, Uint8Array>): string | undefined {
    return this.#sinceHeld((targets) => indexedSumFault(bytes, new Map([...targets, ...files])));
  }

  /** What holds by targets of a while ago is no fault. */
  #sinceHeld(faultBy: (targets: Targets) => string | undefined): string | undefined {
    const faults = this.#held.map(({ targets }) => faultBy(targets));
    return faults.includes(undefined) ? undefined : faults[0];
  }
}

function urlOf({ base }: HttpLog, name: string): string {
  return name === INDEX ? base : `${base}/${name}`;
}

function placeAt(base: string, way: Way, isMain: boolean): Place {
  const server = new HttpLog(`${withoutEndSlashes(base)}/trust`, { ...WATCHING, ...way });
  return { server, isMain, had: new Set() };
}

function areSame(some: Targets, others: Targets): boolean {
  if (some.size !== others.size) return false;
  return [...some].every(([name, bytes]) => {
    const other = others.get(name);
    return other !== undefined && Buffer.compare(bytes, other) === 0;
  });
}
