import { countedEntries } from "@chancery/encoding";
import { Unavailable } from "@chancery/fault";
import type { Report } from "../domain/alarm.ts";
import { noteText, openCheckpoint, type SignedHead } from "../domain/checkpoint.ts";
import { Difference, type Place } from "../domain/difference.ts";
import { HASH_BYTES, TILE_HASHES } from "../domain/merkle.ts";
import { ProvenLog, type ProvenState, rootOfTiles } from "../domain/proven-log.ts";
import { tileDifferences } from "../domain/tile-difference.ts";
import type { AuditedLog, ServedLog } from "../public/served-log.ts";
import type { LogFolder, LogMemory } from "../state/log-folder.ts";
import { awayFinding } from "./away.ts";
import { DamagedPages } from "./damaged-pages.ts";
import { type Findings, judgeAll } from "./findings.ts";
import type { LogView } from "./log-view.ts";
import { isOlder, wentBack } from "./older-head.ts";
import { TreeHeadAge } from "./tree-head-age.ts";
import { BEHIND_MS, UnprovenHeads } from "./unproven-heads.ts";
import { messageOf, Unchecked, Wrong, wrongOf } from "./wrong.ts";

const DAMAGED = "damaged tiles";

/** Whoever wants to see each leaf when it is new. Called before its tree is proven, maybe again if that fails. */
export type LeafReader = (first: bigint, leaves: readonly Uint8Array[]) => Promise<void> | void;

interface Seen {
  note: string;
  head: SignedHead;
  behindSince: number | undefined;
}

/**
 * Watches one log from outside: every checkpoint from every place it is read from, against all that were proven before;
 * what is new in leaves and tiles up to the root; the right edge again and again.
 */
export class LogWatch {
  readonly log: AuditedLog;
  readonly proven: ProvenLog;
  readonly folder: LogFolder;
  readonly #served: readonly ServedLog[];
  readonly #report: Report;
  readonly #now: () => number;
  readonly #read: LeafReader;
  readonly #age: TreeHeadAge;
  /** Full tiles. */
  readonly #damaged: DamagedPages;
  /** The newest of each place. */
  readonly #seen = new Map<string, Seen>();
  readonly #unproven: UnprovenHeads;
  #enough = Infinity;
  #note: string | undefined;
  #lastHead: SignedHead | undefined;
  #provenAt: number | undefined;
  /** Since when, without a break, whatever the main place served was proven. */
  #currentSince: number | undefined;
  #shownSize: bigint | undefined;

  constructor(
    log: AuditedLog,
    served: readonly ServedLog[],
    folder: LogFolder,
    around: {
      readonly report: Report;
      readonly now: () => number;
      readonly leaves?: LeafReader;
      /** As of the age of its tree heads. */
      readonly isMeant?: (what: string) => Promise<boolean>;
    },
  ) {
    this.log = log;
    this.#served = served;
    this.folder = folder;
    this.#report = around.report;
    this.#now = around.now;
    this.#read = around.leaves ?? (() => {});
    this.#age = new TreeHeadAge({ ...around, log: log.name, folder });
    this.#damaged = new DamagedPages(folder.cursor(DAMAGED), (tiles) => folder.setCursor(DAMAGED, tiles));
    const { proven = { size: 0n, edge: [] }, staged } = folder.memory ?? {};
    this.proven = new ProvenLog(proven, folder.tiles, staged);
    this.#unproven = new UnprovenHeads({
      log,
      folder,
      now: around.now,
      shownBy: () => ({ url: this.main.url, size: this.proven.size, since: this.#currentSince }),
      expectRoot: (head, note) => this.#expectRoot(head, note),
    });
    this.#note = folder.memory?.note;
    if (this.#note !== undefined) this.#lastHead = openCheckpoint(Buffer.from(this.#note), log.identity);
  }

  get main(): ServedLog {
    const [main] = this.#served;
    if (main === undefined) throw new RangeError(`${this.log.name} is read from nowhere`);
    return main;
  }

  /** URLs. */
  get places(): string[] {
    return this.#served.map(({ url }) => url);
  }

  /** The newest signed head that was proven. */
  get head(): SignedHead | undefined {
    return this.#lastHead;
  }

  /** Why nothing can be said of what lies behind what was proven; undefined: that is all there is. */
  get obstacle(): string | undefined {
    if (this.isCurrent) return undefined;
    const { name } = this.log;
    return `${name} is proven up to ${countedEntries(this.proven.size)}, and no further by now (see "${this.#checkpointCheck(this.main)}" and "reach ${name}")`;
  }

  /**
   * Why what is served cannot be held against what was proven: the log shows an older tree, or vouches for none. Asked only
   * where something differs: then it is what follows from that, and no alarm of its own.
   */
  async goneBack(): Promise<string | undefined> {
    const { name } = this.log;
    try {
      const { size } = openCheckpoint(await this.main.checkpoint(), this.log.identity);
      if (size >= this.proven.size) return undefined;
      return `not checked: ${name} shows a tree of ${size}, and one of ${countedEntries(this.proven.size)} was proven (see "${this.#checkpointCheck(this.main)}")`;
    } catch (error) {
      // A checkpoint that does not verify says nothing of the tiles.
      if (error instanceof Difference) return undefined;
      return `not checked: ${name} shows no checkpoint by now: ${messageOf(error)}`;
    }
  }

  /** The newest signed size that the main place stated, proven or not. */
  get shownSize(): bigint {
    return this.#shownSize ?? this.proven.size;
  }

  view(): LogView {
    const seen = this.#seen.get(this.main.url);
    return {
      log: this.log.name,
      size: seen === undefined ? null : String(seen.head.size),
      verifiedSize: String(this.proven.size),
      root: this.proven.root.toHex(),
      lastCheckpoint: this.#note ?? null,
      lagSeconds: this.#provenAt === undefined ? null : Math.round((this.#now() - this.#provenAt) / 1000),
    };
  }

  /** One look at every place. What is new and cannot be read within `budgetMs` goes on with the next look. */
  pass(budgetMs = Infinity): Promise<void> {
    return this.#inTurn(() => this.#pass(budgetMs));
  }

  /** A checkpoint of this log that was shown elsewhere. Resolves to what is to be said of it; throws what is Wrong, with its evidence. */
  async judgeShown(note: Uint8Array, place: Pick<ServedLog, "url">): Promise<string> {
    let said = "";
    await this.#inTurn(async () => {
      try {
        said = await this.#judgeNote(note, place);
      } catch (error) {
        const wrong = error instanceof Difference ? wrongOf(this.log.name, error) : error;
        if (!(wrong instanceof Wrong)) throw wrong;
        const { trouble, message, evidence, subject } = wrong;
        throw new Wrong(trouble, message, { ...this.#common(), note: noteText(note), ...evidence }, subject);
      }
    });
    return said;
  }

  /** One after the other: who cannot wait for the next look makes one of their own. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#passing.then(work);
    this.#passing = turn.catch(() => {});
    return turn;
  }
  #passing: Promise<void> = Promise.resolve();

  /** Whether all that was shown at the last look is proven. */
  get isCurrent(): boolean {
    return this.#currentSince !== undefined;
  }

  async #pass(budgetMs: number): Promise<void> {
    this.#enough = performance.now() + budgetMs;
    for (const served of this.#served) await this.#look(served);
    await this.#judgeAll(`unproven checkpoints of ${this.log.name}`, (findings) => this.#unproven.judge(findings));
  }

  /** That the right edge, which the next entry builds upon, is served as it was proven. */
  async checkEdge(): Promise<void> {
    const { size } = this.proven;
    await this.#judgeAll(`edge of ${this.log.name}`, async (findings) => {
      for (const tile of this.proven.partialTiles()) {
        await findings.collect(async () => {
          const now = await this.main.tiles.tile(tile.level, tile.index, tile.hashes.length / HASH_BYTES);
          for (const difference of tileDifferences(tile, now)) findings.add(difference);
        });
      }
      const start = size - (size % BigInt(TILE_HASHES));
      await findings.collect(async () => {
        const leaves = start === size ? [] : await this.main.leaves.read(start, size);
        for (const difference of await this.proven.changedLeaves(start, size, leaves, this.main))
          findings.add(difference);
      });
      return `the tiles and entries at the right edge of ${size} are served as they were proven`;
    });
  }

  /** That a full bundle and its tile are still what they were when they were proven, and so those that were damaged before. */
  async checkTile(index: bigint): Promise<void> {
    await this.#judgeAll(`old tiles of ${this.log.name}`, async (findings) => {
      await this.#damaged.look([index], findings, (page, found) => this.#judgeTile(page, found));
      return `up to ${index}, full tiles and bundles are what they were`;
    });
  }

  async #judgeTile(index: bigint, findings: Findings): Promise<void> {
    await findings.collect(async () => {
      for (const difference of await this.proven.changesOfTile(index, this.main)) findings.add(difference);
    });
    if (findings.count === 0 && findings.refused === undefined) return;
    const back = await this.goneBack();
    if (back !== undefined) throw new Unchecked(back);
  }

  async #look(served: ServedLog): Promise<void> {
    const name = this.log.name;
    const reach = `reach ${name}${served === this.main ? "" : ` at ${served.url}`}`;
    const check = this.#checkpointCheck(served);
    let note: Uint8Array;
    try {
      note = await served.checkpoint();
      this.#report.passed(reach, `${served.url} answers`);
    } catch (error) {
      if (served === this.main) this.#currentSince = undefined;
      await this.#report.failed(reach, awayFinding(`${name} cannot be read`, error));
      this.#report.unknown(check, `no checkpoint is to be had by now (see "${reach}")`);
      return;
    }
    const held = await this.#judge(check, () => this.#judgeNote(note, served), { note: noteText(note) });
    if (served === this.main) this.#currentSince = held ? (this.#currentSince ?? this.#now()) : undefined;
  }

  #checkpointCheck(served: Pick<ServedLog, "url">): string {
    return served === this.main ? `checkpoint of ${this.log.name}` : `checkpoint of ${this.log.name} at ${served.url}`;
  }

  async #judgeNote(note: Uint8Array, served: Pick<ServedLog, "url">): Promise<string> {
    const seen = this.#seen.get(served.url);
    if (seen?.note === noteText(note)) {
      const beside = await this.#age.judge(seen.head, this.main);
      if (served === this.main) this.#provenAt = this.#now();
      else this.#requireAbreast(seen, served);
      return told(seen.head) + beside;
    }
    const head = openCheckpoint(note, this.log.identity);
    if (served === this.main) this.#shownSize = head.size;
    if (noteText(note) !== this.#note) await this.folder.keepUnproven(note);
    if (served === this.main) await this.#prove(note, head);
    else if (head.size <= this.proven.size) await this.#expectRoot(head);
    if (head.size <= this.proven.size) await this.folder.forgetUnproven(note);
    const before = served === this.main ? this.#lastHead : seen?.head;
    if (before !== undefined && isOlder(head, before)) throw wentBack(this.log, before, head);
    const accepted = { note: noteText(note), head, behindSince: seen?.behindSince };
    this.#seen.set(served.url, accepted);
    const beside = await this.#age.judge(head, this.main);
    if (served === this.main) await this.#remember(note, head);
    else this.#requireAbreast(accepted, served);
    return told(head) + beside;
  }

  /** Grows to it, or finds its root among what was passed. */
  async #prove(note: Uint8Array, head: SignedHead): Promise<void> {
    const { proven } = this;
    if (head.size <= proven.size) return this.#expectRoot(head);
    try {
      const isEnough = () => performance.now() > this.#enough;
      const staged = (state: ProvenState) => this.folder.remember({ ...this.#memory(), staged: state });
      const growing = { each: this.#read, isEnough, staged };
      if (!(await proven.grow([head], this.main.leaves, this.main.tiles, growing))) {
        throw new Unchecked(`${proven.stagedSize} of ${head.size} entries are read; ${proven.size} are proven`);
      }
    } catch (error) {
      if (!(error instanceof Difference) || this.#isNew(error.place)) throw error;
      const root = await rootOfTiles(head.size, this.main.tiles);
      if (root === undefined || Buffer.compare(root, head.root) !== 0) throw error;
      // A signed root commits to what is no extension of what was proven: nobody but the log's key can do that.
      const what = `the checkpoint of size ${head.size} does not extend the one of ${proven.size}`;
      throw new Wrong("fork", `${this.log.name}: ${what}: ${error.message}`);
    }
    await this.#remember(note, head);
  }

  /** Of what the tree grew by: there the leaf and its tile are two statements, and neither was proven. */
  #isNew(place: Place): boolean {
    if (place.kind === "entry") return place.index >= this.proven.size;
    if (place.kind !== "tile" || place.level > 0) return false;
    return place.index * BigInt(TILE_HASHES) + BigInt(place.offset) >= this.proven.size;
  }

  async #expectRoot(head: SignedHead, note?: Uint8Array): Promise<void> {
    const root = await this.proven.rootAt(head.size, this.main);
    if (Buffer.compare(root, head.root) === 0) return;
    const what = `a checkpoint of ${this.log.name} of size ${head.size} has the root ${head.root.toHex()}, and what was proven has ${root.toHex()}`;
    throw new Wrong("fork", what, note && { note: noteText(note) });
  }

  /** One place may be a little behind another, not for long. */
  #requireAbreast(seen: Seen, served: Pick<ServedLog, "url">): void {
    const isBehind = seen.head.size < this.proven.size;
    seen.behindSince = isBehind ? (seen.behindSince ?? this.#now()) : undefined;
    if (seen.behindSince === undefined || this.#now() - seen.behindSince < BEHIND_MS) return;
    throw new Wrong("stale", `${served.url} shows size ${seen.head.size}, ${this.main.url} shows ${this.proven.size}`);
  }

  async #remember(note: Uint8Array, head: SignedHead): Promise<void> {
    this.#note = noteText(note);
    this.#lastHead = head;
    this.#provenAt = this.#now();
    await this.folder.remember(this.#memory());
  }

  #memory(): Omit<LogMemory, "cursors"> {
    const { identity, path } = this.log;
    return {
      path,
      origin: identity.origin,
      signer: identity.signer,
      keys: identity.keys.map((key) => key.export({ type: "spki", format: "der" }).toString("base64")),
      proven: this.proven.state,
      note: this.#note,
    };
  }

  async #judge(check: string, work: () => Promise<string>, evidence: object = {}): Promise<boolean> {
    try {
      this.#report.passed(check, await work());
      return true;
    } catch (error) {
      if (error instanceof Unchecked) {
        this.#report.unknown(check, error.message);
        return false;
      }
      const wrong = error instanceof Difference ? wrongOf(this.log.name, error) : error;
      if (wrong instanceof Wrong) {
        const { trouble, message: what, subject } = wrong;
        const all = { ...this.#common(), ...evidence, ...wrong.evidence };
        await this.#report.failed(check, { trouble, what, evidence: all, subject });
      } else {
        const reason = error instanceof Unavailable ? error : new Error(String(error));
        await this.#report.failed(check, awayFinding(`${this.log.name} could not be checked`, reason));
      }
    }
    return false;
  }

  async #judgeAll(check: string, work: (findings: Findings) => Promise<string>): Promise<void> {
    await judgeAll(check, work, {
      report: this.#report,
      couldNot: `${this.log.name} could not be checked`,
      wrongOf: (difference) => wrongOf(this.log.name, difference),
      goneBack: () => this.goneBack(),
      beside: "nobody",
      common: () => this.#common(),
    });
  }

  #common(): object {
    const proven = { size: this.proven.size, root: this.proven.root.toHex(), note: this.#note, edge: this.#edge() };
    return { log: this.log.name, origin: this.log.identity.origin, proven };
  }

  #edge() {
    return this.proven.partialTiles().map(({ level, index, hashes }) => ({ level, index, hashes: hashes.toHex() }));
  }
}

function told({ size }: SignedHead): string {
  return `the checkpoint of size ${size} extends all that were seen`;
}
