import { encodeBase64, encodeHex, encodeRfc3339 } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import type { LoggedEntry } from "@chancery/log";
import { describeLogged, encodeFoundEntry, meetsAll, type NamedLog, type Search } from "@chancery/rekor/search";
import { leafHash } from "@chancery/tlog";
import { type Cell, csvRecord } from "./csv.ts";
import { EXTENSION_COLUMNS } from "./extension-columns.ts";
import { LineBuffer } from "./line-buffer.ts";
import type { MadeLines, UnnamedEntry } from "./line-makers.ts";
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
export async function linesOf(lines: EntryLines, page: AsyncIterable<readonly UnnamedEntry[]>): Promise<MadeLines> {
  const leafHashes: Uint8Array[] = [];
  const written = new LineBuffer();
  let count = 0;
  for await (const entries of page) {
    for (const entry of entries) {
      const hash = leafHash(entry.leaf);
      leafHashes.push(hash);
      if (writeLine(lines, entry, hash, written)) count++;
    }
  }
  return { bytes: written.take(), count, leafHashes };
}

/** The line of an entry with this leaf hash; false if the filters leave it out. */
function writeLine(lines: EntryLines, entry: UnnamedEntry, hash: Uint8Array, to: LineBuffer): boolean {
  const { log, search, format } = lines;
  if (format === "bare" && search.groups.length === 0) return writeBareLine(log, entry, hash, to);
  // The name is derived from the leaf that is in the tree, whatever stands beside it.
  const { index, time, leaf, extra } = entry;
  const found = describe(log, { index, time, leaf, extra, identity: hash });
  if (!meetsAll(found, search)) return false;
  if (format === "bare") return writeBareLine(log, entry, hash, to);
  const json = encodeFoundEntry(found);
  if (format === "csv") to.text(csvRecord(entryCells(json, encodeHex(hash))));
  else {
    to.text(JSON.stringify(json).slice(0, -1));
    writeBody(leaf, hash, to);
  }
  return true;
}

/** Place and time, and the body that everything else can be read from. Nothing in it is to be escaped. */
function writeBareLine(log: NamedLog, { index, time, leaf }: UnnamedEntry, hash: Uint8Array, to: LineBuffer): true {
  const place = `"log":"${log.name}","logIndex":"${log.first + index}","entryId":"${log.entryId({ identity: hash })}"`;
  to.ascii(`{${place},"time":"${encodeRfc3339(time)}"`);
  writeBody(leaf, hash, to);
  return true;
}

/** The end of a line: neither has anything to escape, and the body is most of it. */
function writeBody(leaf: Uint8Array, hash: Uint8Array, to: LineBuffer): void {
  to.ascii(`,"leafHash":"${encodeHex(hash)}","body":"`);
  to.ascii(encodeBase64(leaf));
  to.ascii('"}\n');
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
