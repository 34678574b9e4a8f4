import { encodeBase64, encodeHex, utf8 } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import type { LoggedEntry } from "@chancery/log";
import { describeLogged, encodeFoundEntry, meetsAll, type NamedLog, type Search } from "@chancery/rekor";
import { leafHash } from "@chancery/tlog";
import { type Cell, csvRecord } from "./csv.ts";
import { EXTENSION_COLUMNS } from "./extension-columns.ts";
import type { UnnamedEntry } from "./line-makers.ts";
import type { Format } from "./source.ts";

export const ENTRY_COLUMNS: readonly string[] = [
  "log",
  "logIndex",
  "entryId",
  "time",
  "kind",
  "apiVersion",
  "leafHash",
  "digests",
  "keyFingerprints",
  "sans",
  "issuers",
  "serials",
  "predicateType",
  "subjects",
  ...EXTENSION_COLUMNS,
];

/** Of one log, all as the search tells it; with the body that its leaf hash is of, in JSON. */
export interface EntryLines {
  readonly log: NamedLog;
  readonly search: Pick<Search, "groups">;
  readonly format: Format;
}

/** Lines of those that the filters let through, and the leaf hashes of all. */
export function linesOf(lines: EntryLines, entries: readonly UnnamedEntry[]) {
  const leafHashes: Uint8Array[] = [];
  const told: string[] = [];
  for (const entry of entries) {
    const hash = leafHash(entry.leaf);
    leafHashes.push(hash);
    const line = entryLine(lines, entry, hash);
    if (line !== undefined) told.push(line);
  }
  return { bytes: utf8(told.join("")), count: told.length, leafHashes };
}

/** The line of an entry with this leaf hash; undefined if the filters leave it out. */
function entryLine({ log, search, format }: EntryLines, entry: UnnamedEntry, hash: Uint8Array): string | undefined {
  if (format === "bare" && search.groups.length === 0) return bareLine(log, entry, hash);
  // The name is derived from the leaf that is in the tree, whatever stands beside it.
  const { index, time, leaf, extra } = entry;
  const found = describe(log, { index, time, leaf, extra, identity: hash });
  if (!meetsAll(found, search)) return undefined;
  if (format === "bare") return bareLine(log, entry, hash);
  const json = encodeFoundEntry(found);
  if (format === "csv") return csvRecord(entryCells(json, encodeHex(hash)));
  // Neither has anything to escape, and the body is most of the line.
  const members = `"leafHash":"${encodeHex(hash)}","body":"${encodeBase64(entry.leaf)}"`;
  return `${JSON.stringify(json).slice(0, -1)},${members}}\n`;
}

/** Place and time, and the body that everything else can be read from. Nothing in it is to be escaped. */
function bareLine(log: NamedLog, { index, time, leaf }: UnnamedEntry, hash: Uint8Array): string {
  const place = `"log":"${log.name}","logIndex":"${index}","entryId":"${log.entryId({ identity: hash })}"`;
  const at = `${new Date(time).toISOString().slice(0, 19)}Z`;
  return `{${place},"time":"${at}","leafHash":"${encodeHex(hash)}","body":"${encodeBase64(leaf)}"}\n`;
}

function describe(log: NamedLog, entry: LoggedEntry) {
  try {
    return describeLogged(log, entry);
  } catch (cause) {
    throw new RefusedToSign(
      `entry ${entry.index} of ${log.name} cannot be read; chancery fsck says what became of it`,
      {
        cause,
      },
    );
  }
}

function entryCells(json: ReturnType<typeof encodeFoundEntry>, leafHashText: string): Cell[] {
  const { log, logIndex, entryId, time, kind, apiVersion, digests, signers, attestation } = json;
  const certificates = signers.flatMap(({ certificate }) => certificate ?? []);
  const subjects = attestation?.subjects.map((subject) => [subject.name ?? "", ...subject.digests].join(" ").trim());
  return [
    log,
    logIndex,
    entryId,
    time,
    kind,
    apiVersion,
    leafHashText,
    several(digests),
    several(signers.map(({ keyFingerprint }) => keyFingerprint)),
    several(certificates.flatMap(({ sans }) => sans.map(({ type, value }) => `${type}:${value}`))),
    several(certificates.map(({ issuer }) => issuer)),
    several(certificates.map(({ serial }) => serial)),
    attestation?.predicateType,
    several(subjects ?? []),
    ...EXTENSION_COLUMNS.map((name) => several(certificates.map(({ extensions }) => extensions[name]))),
  ];
}

/** Most entries have one of each; a spreadsheet has one cell for many. A name that holds a bar is not two: it is escaped. */
export function several(texts: readonly (string | undefined)[]): string {
  return texts
    .filter((text) => text !== undefined)
    .map((text) => text.replaceAll(/[\\|]/g, "\\$&"))
    .join(" | ");
}
