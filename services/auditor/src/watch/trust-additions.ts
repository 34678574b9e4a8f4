import { type SettlingReport, timeOf } from "../domain/alarm.ts";
import { sha256 } from "../domain/merkle.ts";
import type { NamedMemory } from "../domain/named-memory.ts";
import { isCovered, type Targets, type TrustedParty, trustedParties } from "../domain/trust/trusted-party.ts";
import type { SettledAlarms } from "../state/settled-alarms.ts";
import { awayFinding } from "./away.ts";

const CHECK = "trusted parties";
const FILE = "trusted-parties";
const TROUBLE = "trust-added";
/** Those beyond are counted: who has the keys of the trust root fills no disk. */
const MOST_ADDED = 100;

interface Around {
  readonly report: SettlingReport;
  readonly memory: NamedMemory;
  readonly settled: SettledAlarms;
  readonly now: () => number;
  /** What the installation has clients trust, as it made it from its own keys and settings. Undefined to a stranger. */
  readonly own: Targets | undefined;
}

interface Memory {
  /** As they were trusted when they were looked at last. */
  readonly known: readonly TrustedParty[];
  /** Of which nobody said that they belong there, and what was told of them. */
  readonly added: readonly { readonly party: TrustedParty; readonly what: string }[];
  /** Who could sign for the trust root, ever. Undefined in a memory of before they were looked at. */
  readonly signers?: readonly TrustedParty[];
  /** When they were looked at first. Undefined in a memory of before that was kept. */
  readonly since?: number;
}

/**
 * Whom clients are told to trust. What is signed by the keys of the trust root is believed by every client, so that whoever
 * has those adds a log, an authority or a URL of his own and need touch nothing else. Beside the services an addition is held
 * against what the installation itself made; a stranger, who believes what it saw first, tells each until an operator says
 * that he made it. One that is taken away again was trusted meanwhile. No installation gives the trust root other keys, so
 * that any further one is told beside the services too.
 */
export class TrustAdditions {
  readonly #around: Around;
  #memory: Memory | undefined;
  #own: readonly TrustedParty[] | undefined;
  #read: { readonly targets: Targets; readonly parties: readonly TrustedParty[] } | undefined;

  constructor(around: Around) {
    this.#around = around;
  }

  /** `targets` are those that were read last, and hold; undefined: none were by now. `signers` may say which there are. */
  async check(targets: Targets | undefined, signers: readonly TrustedParty[] = []): Promise<void> {
    const { report, settled } = this.#around;
    await settled.endAlarms(report);
    if (targets === undefined) return report.unknown(CHECK, 'no trust root was read by now (see "trust root")');
    try {
      await this.#judge(targets, signers);
    } catch (error) {
      await report.failed(CHECK, awayFinding("whom clients are told to trust could not be judged", error));
    }
  }

  async #judge(targets: Targets, signers: readonly TrustedParty[]): Promise<void> {
    const { report, settled } = this.#around;
    const parties = [...this.#partiesOf(targets), ...signers];
    const own = (this.#own ??= this.#around.own && trustedParties(this.#around.own));
    const before = (this.#memory ??= await this.#around.memory.recall<Memory>(FILE));
    const signersBefore = before?.signers ?? signers;
    const base = [...(own ?? before?.known ?? parties), ...signersBefore];
    const isSettled = (what: string) => settled.has(TROUBLE, what);
    const isGood = (party: TrustedParty) => isCovered(party, base) || isSettled(toldOf(party, base));
    const told = (before?.added ?? []).filter(
      ({ party, what }) => !isSettled(what) && (own === undefined || !isCovered(party, own)),
    );
    const fresh = parties.filter((party) => !isGood(party));
    const news = fresh
      .map((party) => ({ party, what: toldOf(party, base) }))
      .filter(({ what }) => told.every((one) => one.what !== what));
    const added = [...told, ...news].slice(0, MOST_ADDED);
    // How long one was trusted is known until it may be trusted for longer.
    const narrower = base.filter(({ kind, id }) => fresh.some((party) => party.kind === kind && party.id === id));
    const settledSigners = signers.filter((party) => isGood(party) && !isCovered(party, signersBefore));
    const known = [...parties.filter(isGood), ...narrower];
    const since = before === undefined ? this.#around.now() : before.since;
    const next = { known, added, signers: [...signersBefore, ...settledSigners] };
    await this.#remember({ ...next, ...(since !== undefined && { since }) }, before);
    if (added.length === 0) {
      const whose = own === undefined ? toldOfFirst(targets, since) : "are those that this installation made";
      return report.passed(CHECK, `the ${parties.length} keys, authorities and URLs that clients trust ${whose}`);
    }
    const findings = added.map(({ party, what }) => {
      const subject = `trust in the ${party.kind} ${party.id} from ${party.start} to ${party.end}`;
      return { trouble: TROUBLE, what, evidence: { party, known: base }, subject, isOneOfMany: true } as const;
    });
    await report.failedAll(CHECK, findings, true, told.length + news.length - added.length);
  }

  #partiesOf(targets: Targets): readonly TrustedParty[] {
    if (this.#read?.targets !== targets) this.#read = { targets, parties: trustedParties(targets) };
    return this.#read.parties;
  }

  /** Before it is told: a restart forgets none. */
  async #remember(next: Memory, before: Memory | undefined): Promise<void> {
    this.#memory = next;
    if (JSON.stringify(next) !== JSON.stringify(before)) await this.#around.memory.remember(FILE, next);
  }
}

/** What a stranger takes for good is what it found: only those who made it can say that it is theirs. */
function toldOfFirst(targets: Targets, since: number | undefined): string {
  const look = since === undefined ? "the first look" : `the first look, of ${timeOf(since)}`;
  const print = sha256(targets.get("trusted_root.json") ?? new Uint8Array()).toHex();
  return `are taken on trust, as they were found at ${look}, or settled since: nobody told this auditor that they are the installation's own. Compare once with its operator, by other means than this URL, the SHA-256 of trusted_root.json, now ${print}; the list is trusted-parties.json in this auditor's folder`;
}

/** The same words each time, by which an operator settles it. */
function toldOf(party: TrustedParty, known: readonly TrustedParty[]): string {
  const { kind, id, url } = party;
  const name = id === url ? id : `SHA-256 ${id} (${url}), ${windowOf(party)}`;
  const before = known.find((one) => one.kind === kind && one.id === id);
  if (before === undefined) return `clients are told to trust a further ${kind}: ${name}`;
  return `clients are told to trust for longer the ${kind} ${name}, where it was ${windowOf(before)}`;
}

function windowOf({ start, end }: TrustedParty): string {
  const from = start === 0 ? "from ever" : `from ${new Date(start).toISOString()}`;
  return `${from} ${end === Number.MAX_SAFE_INTEGER ? "for ever" : `to ${new Date(end).toISOString()}`}`;
}
