import { type NewEntry, SearchKeys, type SearchName } from "@chancery/log";
import type { ProposalPolicy } from "../domain/judge-proposal.ts";
import { packFault, unpackFault } from "./packed-fault.ts";
import { PackedReader, type PackedWriter } from "./packed-bytes.ts";

/*
 * What main thread and proposal thread tell each other. To the thread: policies, as objects, and proposals, packed. From
 * it: answers, packed, in whatever order they came to be.
 */

export type Api = "v1" | "v2";

/** Whose proposals are named by `id`, from here on. */
export interface PolicyMessage {
  readonly id: number;
  readonly api: Api;
  readonly policy: ProposalPolicy;
}

export type ThreadQuestion = PolicyMessage | Uint8Array;

/** A request's body as it came. */
export interface PackedProposal {
  /** Which answer is its own. */
  readonly number: number;
  readonly policy: number;
  readonly body: Uint8Array;
}

export interface PackedAnswer {
  readonly number: number;
  /** The Fault of what is refused; any other error is one of the program. */
  readonly outcome: NewEntry | Error;
}

export function packProposal(writer: PackedWriter, { number, policy, body }: PackedProposal): void {
  writer.number32(number);
  writer.number32(policy);
  writer.bytes(body);
}

export function unpackProposals(packed: Uint8Array): PackedProposal[] {
  const reader = new PackedReader(packed);
  const all: PackedProposal[] = [];
  while (!reader.isDone) all.push({ number: reader.number32(), policy: reader.number32(), body: reader.bytes() });
  return all;
}

const JUDGED = 0;
const REFUSED = 1;

export function packAnswer(writer: PackedWriter, { number, outcome }: PackedAnswer): void {
  writer.number32(number);
  if (outcome instanceof Error) {
    writer.number8(REFUSED);
    writer.text(packFault(outcome));
    return;
  }
  writer.number8(JUDGED);
  packEntry(writer, outcome);
}

export function unpackAnswers(packed: Uint8Array): PackedAnswer[] {
  const reader = new PackedReader(packed);
  const all: PackedAnswer[] = [];
  while (!reader.isDone) {
    const number = reader.number32();
    const refused = reader.number8() === REFUSED;
    all.push({ number, outcome: refused ? unpackFault(decoder.decode(reader.bytes())) : unpackEntry(reader) });
  }
  return all;
}

const decoder = new TextDecoder();
/** A leaf of either API is the same wherever it comes to stand. */
const ANYWHERE = { index: 0n, time: 0 };

function packEntry(writer: PackedWriter, { identity, leaf, stored, extra, searchKeys, names = [] }: NewEntry): void {
  const whole = leaf(ANYWHERE);
  writer.bytes(identity);
  writer.bytes(whole);
  writer.bytes(stored ?? whole);
  writer.bytes(extra);
  writer.bytes(searchKeys.packed);
  writer.number32(names.length);
  for (const { name, key } of names) {
    writer.text(name);
    writer.bytes(key);
  }
}

function unpackEntry(reader: PackedReader): NewEntry {
  const identity = reader.bytes();
  const leaf = reader.bytes();
  const stored = reader.bytes();
  const extra = reader.bytes();
  const searchKeys = SearchKeys.unpack(reader.bytes());
  const names: SearchName[] = [];
  for (let left = reader.number32(); left > 0; left--) {
    names.push({ name: decoder.decode(reader.bytes()), key: reader.bytes() });
  }
  return { identity, leaf: () => leaf, stored, extra, searchKeys, names };
}
