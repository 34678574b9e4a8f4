import type { Report, SettlingReport } from "../domain/alarm.ts";
import type { Certificate } from "../domain/certificate/certificate.ts";
import { sha256 } from "../domain/merkle.ts";
import { usageFault } from "../domain/trust/single-target.ts";
import { type Targets, type TrustedParty, trustingParties } from "../domain/trust/trusted-party.ts";
import { readTrustedRoot, type TrustedAuthorities } from "../domain/trust/trusted-root.ts";
import {
  delegates,
  type Description,
  descriptionOf,
  expectDescribed,
  type Metadata,
  readMetadata,
  type Role,
  type RootKeys,
  rootKeys,
  targetNames,
  TrustFault,
  verifyMetadata,
} from "../domain/trust/tuf.ts";
import { HttpLog, WATCHING, type Way } from "../public/http-log.ts";
import type { SettledAlarms } from "../state/settled-alarms.ts";
import type { StateFolder } from "../state/state-folder.ts";
import { awayFinding } from "./away.ts";
import { PlainTrust } from "./plain-trust.ts";
import { TrustAdditions } from "./trust-additions.ts";
import { VantageTrust } from "./vantage-trust.ts";
import { messageOf, Unchecked, Wrong } from "./wrong.ts";

const ROOT = "trusted_root.json";
const DAY_MS = 86_400_000;
const UNREACHABLE_MS = 60_000;
/** Every file that clients may ask for is read so often. */
const WHOLE_MS = 60_000;
/** With less left than this, renewal has failed for long. */
const LEFT_MS = { timestamp: 3.5 * DAY_MS, snapshot: 30 * DAY_MS, targets: 30 * DAY_MS, root: 30 * DAY_MS } as const;
const CHAIN_LEFT_MS = 30 * DAY_MS;
/** Clients follow no more either. */
const MOST_ROOTS = 256;

/** What must never go back, and the root that is trusted. */
interface TrustMemory {
  /** Base64. The first that was seen, then each that its keys signed. */
  readonly root: string;
  readonly versions: Readonly<Record<string, number>>;
}

interface Whole {
  /** Every file that was held, by its name below `/tuf`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** From where a client begins to the newest. */
  readonly roots: readonly Metadata[];
  /** As it was remembered. */
  readonly memory: string;
  readonly at: number;
  readonly told: string;
}

/** The trust root as a client loads it, again and again: it never goes back, its signatures hold, it names what is used. */
export class TrustWatch {
  readonly #server: HttpLog;
  readonly #state: StateFolder;
  readonly #report: Report;
  readonly #now: () => number;
  readonly #logKeys: () => readonly string[];
  readonly #additions: TrustAdditions;
  readonly #plain: PlainTrust;
  readonly #elsewhere: VantageTrust;
  #targets: Targets | undefined;
  #signers: readonly TrustedParty[] = [];
  #authorities: TrustedAuthorities | undefined;
  /** The last time that every file was read and held. */
  #whole: Whole | undefined;

  constructor(
    url: string,
    state: StateFolder,
    around: {
      readonly way: Way;
      readonly report: SettlingReport;
      readonly now: () => number;
      readonly logKeys: () => readonly string[];
      readonly settled: SettledAlarms;
      readonly own: Targets | undefined;
      readonly vantagePoints?: readonly string[] | undefined;
    },
  ) {
    this.#server = new HttpLog(url, { ...WATCHING, ...around.way });
    this.#state = state;
    this.#report = around.report;
    this.#now = around.now;
    this.#logKeys = around.logKeys;
    this.#additions = new TrustAdditions({ ...around, memory: state });
    const refresh = async () => {
      await this.#judge("trust root", () => this.#checkRepository());
      return this.#targets;
    };
    const { vantagePoints = [] } = around;
    const root = () => this.#whole?.files.get("root.json");
    this.#plain = new PlainTrust({ ...around, url, vantagePoints, refresh, root });
    const read = (file: string) => this.#server.get(`/tuf/${file}`);
    const held = () => this.#whole?.files;
    const roots = () => this.#whole?.roots ?? [];
    this.#elsewhere = new VantageTrust({ ...around, vantagePoints, held, roots, read, memory: state });
  }

  /** Undefined until the trusted root was read once. */
  get authorities(): TrustedAuthorities | undefined {
    return this.#authorities;
  }

  /** The certificates that sign leaves. */
  get issuers(): readonly Certificate[] {
    return this.#authorities?.certificate.flatMap((chain) => chain.slice(0, 1)) ?? [];
  }

  async check(): Promise<void> {
    await this.#judge("trust root", () => this.#checkRepository());
    await this.#judge("trusted keys", () => this.#checkKeys());
    await this.#additions.check(this.#targets, this.#signers);
    await this.#plain.check(this.#targets);
    await this.#elsewhere.check();
  }

  async #checkRepository(): Promise<string> {
    const memory = await this.#state.recall<TrustMemory>("trust");
    const whole = this.#whole;
    if (whole !== undefined && (await this.#isAsBefore(whole, memory))) return whole.told;
    const start = await this.#get("root.json");
    const { root, roots } = await this.#checkRoots(start, memory);
    const keys = rootKeys(root);
    this.#signers = trustingParties(keys);
    const timestamp = await this.#fetch("timestamp", { keys, memory });
    const ofSnapshot = descriptionOf(timestamp, "snapshot.json");
    const snapshot = await this.#fetch("snapshot", { keys, memory, described: ofSnapshot });
    const ofTargets = descriptionOf(snapshot, "targets.json");
    const targets = await this.#fetch("targets", { keys, memory, described: ofTargets });
    const roles = [root, timestamp, snapshot, targets];
    const versions = Object.fromEntries(roles.map(({ role, version }) => [role, version]));
    const next = { root: Buffer.from(root.bytes).toString("base64"), versions };
    await this.#remember(next, memory);
    await this.#checkTargets(targets);
    for (const { role, expires } of roles) this.#requireLife(`TUF ${role}`, expires, LEFT_MS[role]);
    const told = `TUF ${roles.map(({ role, version }) => `${role} ${version}`).join(", ")}: signed, not older than any seen, none expiring`;
    const files = new Map([["root.json", start], ...roles.map((one) => [fileOf(one), one.bytes] as const)]);
    this.#whole = { files, roots, memory: JSON.stringify(next), at: this.#now(), told };
    return told;
  }

  /** What a timestamp names cannot become another, but another may be served in its place: four more questions at rest. */
  async #isAsBefore({ files, memory, at }: Whole, remembered: TrustMemory | undefined): Promise<boolean> {
    if (this.#now() - at >= WHOLE_MS || memory !== JSON.stringify(remembered)) return false;
    for (const [file, bytes] of files) {
      const now = await this.#server.get(`/tuf/${file}`);
      if (now === undefined || Buffer.compare(now, bytes) !== 0) return false;
    }
    return true;
  }

  /**
   * From the root that was trusted to the newest, and to the same from where a client begins today: a root that is served
   * no more is missed by nobody who has it.
   */
  async #checkRoots(start: Uint8Array, memory: TrustMemory | undefined): Promise<Followed> {
    // Each is read once: one that is published meanwhile would end one of the two ways and not the other.
    const served = new Map<string, Promise<Uint8Array | undefined>>();
    const read = (file: string) => served.getOrInsertComputed(file, () => this.#server.get(`/tuf/${file}`));
    const first = await this.#followRoots(readMetadata("root", start), read);
    if (memory === undefined) return first;
    const before = readMetadata("root", Buffer.from(memory.root, "base64"));
    if (first.root.version < before.version) throw wentBack(first.root, before.version);
    const { root } = await this.#followRoots(before, read);
    if (Buffer.compare(first.root.bytes, root.bytes) === 0) return first;
    throw new TrustFault(`root.json: does not lead to the root ${root.version} that follows from the one before`);
  }

  /** TUF 1.0.33, 5.3: each next root is signed by the one before and by itself. */
  async #followRoots(trusted: Metadata, read: (file: string) => Promise<Uint8Array | undefined>): Promise<Followed> {
    verifyMetadata(trusted, rootKeys(trusted));
    const roots = [trusted];
    for (let count = 0; count < MOST_ROOTS; count++) {
      const bytes = await read(`${trusted.version + 1}.root.json`);
      if (bytes === undefined) break;
      const next = readMetadata("root", bytes);
      if (next.version <= trusted.version) throw wentBack(next, trusted.version + 1);
      if (next.version !== trusted.version + 1)
        throw new TrustFault(`root ${next.version} where its next was expected`);
      verifyMetadata(next, rootKeys(trusted));
      verifyMetadata(next, rootKeys(next));
      trusted = next;
      roots.push(next);
    }
    return { root: trusted, roots };
  }

  /** TUF 1.0.33, 5.4 to 5.6. That it went back is said before anything that follows from it. */
  async #fetch(role: "timestamp" | "snapshot" | "targets", { keys, memory, described }: Fetching): Promise<Metadata> {
    const file = fileOf({ role, version: described?.version });
    const bytes = await this.#get(file);
    const metadata = readMetadata(role, bytes);
    verifyMetadata(metadata, keys);
    const least = Math.max(memory?.versions[role] ?? 0, described?.version ?? 0);
    if (metadata.version < least) throw wentBack(metadata, least);
    if (described === undefined) return metadata;
    expectDescribed(file, bytes, described);
    if (metadata.version !== described.version) throw new TrustFault(`${file}: is version ${metadata.version}`);
    return metadata;
  }

  /** Every file that clients may ask for is there, and is the one that was signed for. */
  async #checkTargets(targets: Metadata): Promise<void> {
    const read = new Map<string, Uint8Array>();
    const names = targetNames(targets);
    // A client that does not find a target here asks those to whom it is delegated, and believes them as much.
    if (delegates(targets)) throw new TrustFault(`targets ${targets.version}: has others name targets`);
    if (!names.includes(ROOT)) throw new TrustFault(`targets ${targets.version}: names no ${ROOT}`);
    for (const name of names) {
      const described = descriptionOf(targets, name);
      const bytes = await this.#get(`targets/${described.sha256}.${name}`);
      expectDescribed(name, bytes, described);
      read.set(name, bytes);
      if (name !== ROOT) continue;
      this.#authorities = authoritiesOf(bytes);
      const plain = await this.#server.get(`/trust/${ROOT}`);
      if (plain === undefined || Buffer.compare(plain, bytes) !== 0) {
        throw new TrustFault(`/trust/${ROOT}: is not the target of this name`);
      }
    }
    const fault = usageFault(targets, read);
    if (fault !== undefined) throw new TrustFault(`targets ${targets.version}: ${fault}`);
    this.#targets = read;
  }

  /** Those that clients are told are those that sign, and none comes to its end unseen. */
  async #checkKeys(): Promise<string> {
    const authorities = this.#authorities;
    if (authorities === undefined) throw new Unchecked('trusted_root.json was not read yet (see "trust root")');
    for (const key of this.#logKeys()) {
      if (authorities.logKeys.includes(key)) continue;
      const print = sha256(Buffer.from(key, "base64")).toHex();
      throw new TrustFault(`the trusted root does not name the log key ${print}, which signs`);
    }
    // The newest of each is the one that issues; those before it have had their time.
    const newest = [
      ["CA", authorities.certificate.at(-1)],
      ["timestamp authority", authorities.timestamp.at(-1)],
    ] as const;
    for (const [name, chain = []] of newest) {
      for (const { notAfter } of chain)
        this.#requireLife(`a certificate of the ${name}`, notAfter.getTime(), CHAIN_LEFT_MS);
    }
    return "clients are told the keys that sign, and no certificate ends within 30 days";
  }

  #requireLife(what: string, expires: number, leastMs: number): void {
    const left = expires - this.#now();
    if (left >= leastMs) return;
    throw new Wrong(
      "trust-expiring",
      `${what} ends at ${new Date(expires).toISOString()}, in ${(left / DAY_MS).toFixed(1)} days`,
    );
  }

  async #remember(next: TrustMemory, before: TrustMemory | undefined): Promise<void> {
    if (JSON.stringify(next) !== JSON.stringify(before)) await this.#state.remember("trust", next);
  }

  async #get(file: string): Promise<Uint8Array> {
    const bytes = await this.#server.get(`/tuf/${file}`);
    if (bytes === undefined) throw new TrustFault(`${file}: is not there`);
    return bytes;
  }

  async #judge(check: string, work: () => Promise<string>): Promise<void> {
    try {
      this.#report.passed(check, await work());
    } catch (error) {
      if (error instanceof Wrong) {
        await this.#report.failed(check, { trouble: error.trouble, what: error.message, evidence: error.evidence });
      } else if (error instanceof Unchecked) {
        this.#report.unknown(check, error.message);
      } else if (error instanceof TrustFault) {
        await this.#report.failed(check, { trouble: "trust-invalid", what: error.message });
      } else {
        const away = awayFinding("the trust root could not be read", error, { toleratedMs: UNREACHABLE_MS });
        await this.#report.failed(check, away);
      }
    }
  }
}

interface Followed {
  /** The last of them. */
  readonly root: Metadata;
  readonly roots: readonly Metadata[];
}

interface Fetching {
  readonly keys: RootKeys;
  readonly memory: TrustMemory | undefined;
  /** As the role before it names it. */
  readonly described?: Description;
}

/** What clients may read otherwise, or leave out, is not what cannot be reached. */
function authoritiesOf(bytes: Uint8Array): TrustedAuthorities {
  try {
    return readTrustedRoot(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (cause) {
    throw new TrustFault(`${ROOT}: is not as this installation writes it: ${messageOf(cause)}`, { cause });
  }
}

/** With consistent snapshots only the timestamp's name says no version. */
function fileOf({ role, version }: { readonly role: Role; readonly version: number | undefined }): string {
  return role === "timestamp" ? "timestamp.json" : `${version}.${role}.json`;
}

function wentBack({ role, version, bytes }: Metadata, before: number): Wrong {
  const what = `TUF ${role} went back from version ${before} to ${version}`;
  return new Wrong("trust-rollback", what, { [role]: Buffer.from(bytes).toString() });
}
