import { isDeepStrictEqual } from "node:util";
import { sha256 } from "@chancery/crypto";
import { encodeHex, parseRfc3339 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { EMPTY_TREE, edgeRoot, growTree, leafHash, type TreeEdge } from "@chancery/tlog";
import { parseCertificate, parseSubjectAlternativeNames, SERIAL_BYTES } from "@chancery/x509";
import { isRekorShard } from "../log-names.ts";
import { printable } from "../printable.ts";
import type { ExportedLog, Manifest } from "./manifest.ts";

const MOST_FINDINGS = 5;
/** Leaves that are hashed into the tree together. */
const BATCH = 1_024;
type Line = Readonly<Record<string, unknown>>;

/**
 * What lines tell by themselves, so that a change can be told by its place: their order, that a body or certificate is
 * what its hash says, and of whole logs that all of them together hash to the signed root. Of CSV only the number.
 */
export class LineCheck {
  readonly #manifest: Manifest;
  readonly #trees = new Map<string, TreeOfLines>();
  readonly #findings: string[] = [];
  #lines = 0;
  #last: Place | undefined;

  constructor(manifest: Manifest) {
    this.#manifest = manifest;
    for (const log of isWhole(manifest) ? manifest.logs : []) this.#trees.set(log.log, new TreeOfLines(log));
  }

  get findings(): readonly string[] {
    return this.#findings;
  }

  /** Of the line that was read last, counted from 1. */
  get number(): number {
    return this.#lines;
  }

  /** Lines without the heading of CSV. */
  get count(): number {
    return Math.max(0, this.#lines - (this.#manifest.format === "csv" ? 1 : 0));
  }

  get checked(): readonly string[] {
    if (this.#manifest.format === "csv") return ["number of lines"];
    const roots = [...this.#trees.keys()].map((log) => `root of ${log} from its entries`);
    const hashed = { entries: ["bodies"], certificates: ["certificates"], refusals: [] }[this.#manifest.kind];
    return ["number of lines", "order", ...hashed, ...roots];
  }

  /** It goes to a terminal, and quotes a file that nobody signed for. */
  find(text: string): void {
    if (this.#findings.length < MOST_FINDINGS) this.#findings.push(printable(text));
  }

  line(bytes: Uint8Array): void {
    this.#lines++;
    if (this.#manifest.format === "csv") return;
    const line = parseLine(bytes);
    if (line === undefined) {
      this.find(`line ${this.#lines}: is not a JSON object`);
      return;
    }
    this.#checkOrder(line);
    if (this.#manifest.kind === "entries") this.#checkBody(line);
    if (this.#manifest.kind === "certificates") this.#checkCertificate(line);
  }

  end(): void {
    for (const [log, tree] of this.#trees) {
      const finding = tree.end();
      if (finding !== undefined) this.find(`${log}: ${finding}`);
    }
  }

  #checkOrder(line: Line): void {
    const place = this.#placeOf(line);
    const before = this.#last;
    this.#last = place;
    if (place === undefined) return this.find(`line ${this.#lines}: has no place in the order`);
    if (before !== undefined && isBefore(place, before)) {
      this.find(`line ${this.#lines}: ${place.text} stands after ${before.text}`);
    }
  }

  #placeOf({ log, logIndex, issuedAt, time }: Line): Place | undefined {
    if (this.#manifest.kind !== "entries") {
      const text = issuedAt ?? time;
      const at = typeof text === "string" ? parseRfc3339(text) : undefined;
      return at === undefined ? undefined : { rank: 0, at: BigInt(at), strictly: false, text: String(text) };
    }
    if (typeof logIndex !== "string" || !/^\d{1,19}$/.test(logIndex)) return undefined;
    const rank = rankOf(this.#manifest, log, BigInt(logIndex));
    if (rank < 0) return undefined;
    return { rank, at: BigInt(logIndex), strictly: true, text: `entry ${logIndex} of ${String(log)}` };
  }

  #checkBody({ log, logIndex, body, leafHash: told }: Line): void {
    const hash = typeof body === "string" ? leafHash(Buffer.from(body, "base64")) : undefined;
    if (hash === undefined || encodeHex(hash) !== told) {
      this.find(`line ${this.#lines}: the body is not the one its leafHash is of`);
    }
    const index = typeof logIndex === "string" ? logIndex : "without an index";
    const rank = rankOf(this.#manifest, log, /^\d{1,19}$/.test(index) ? BigInt(index) : 0n);
    const finding = hash && this.#trees.get(this.#manifest.logs[rank]?.log ?? "")?.add(index, hash);
    if (finding !== undefined) this.find(`line ${this.#lines}: ${finding}`);
  }

  #checkCertificate(line: Line): void {
    const { certificate, certificateHash, unreadable } = line;
    const der = typeof certificate === "string" ? new Uint8Array(Buffer.from(certificate, "base64")) : undefined;
    if (der === undefined || encodeHex(sha256(der)) !== certificateHash) {
      return this.find(`line ${this.#lines}: the certificate is not the one its certificateHash is of`);
    }
    // The export said so of it.
    if (unreadable !== undefined) return;
    const denied = deniedMember(line, der);
    if (denied !== undefined) this.find(`line ${this.#lines}: its ${denied} is not what the certificate says`);
  }
}

function deniedMember({ serial, keyHash, sans }: Line, der: Uint8Array): string | undefined {
  try {
    const certificate = parseCertificate(der, "certificate");
    // DER leaves zeros in front out.
    if (encodeHex(certificate.serial).padStart(2 * SERIAL_BYTES, "0") !== serial) return "serial";
    if (encodeHex(sha256(certificate.spki)) !== keyHash) return "keyHash";
    return isDeepStrictEqual(parseSubjectAlternativeNames(certificate), sans) ? undefined : "sans";
  } catch (error) {
    if (error instanceof Malformed) return "certificate";
    throw error;
  }
}

/** The shards of the v1 log are one log in the lines, whose index goes on over them. */
function nameInLines({ log }: ExportedLog): string {
  return isRekorShard(log) ? "rekor" : log;
}

function rankOf({ logs }: Manifest, log: unknown, index: bigint): number {
  return logs.findLastIndex((known) => nameInLines(known) === log && index >= BigInt(known.first ?? "0"));
}

interface Place {
  readonly rank: number;
  readonly at: bigint;
  /** Two lines have never the same. */
  readonly strictly: boolean;
  readonly text: string;
}

function isBefore(place: Place, other: Place): boolean {
  if (place.rank !== other.rank) return place.rank < other.rank;
  return place.at < other.at || (place.strictly && place.at === other.at);
}

/** Nothing was left out: the entries can be hashed up to the root that the log signed. */
function isWhole({ kind, format, filters, logs }: Manifest): boolean {
  const isFiltered = Object.keys(filters).some((name) => name !== "log");
  return (
    kind === "entries" &&
    format !== "csv" &&
    !isFiltered &&
    logs.every(({ from, to, size }) => from === "0" && to === size)
  );
}

function parseLine(bytes: Uint8Array): Line | undefined {
  try {
    const line: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return typeof line === "object" && line !== null && !Array.isArray(line) ? (line as Line) : undefined;
  } catch {
    return undefined;
  }
}

/** A whole log, leaf by leaf. */
class TreeOfLines {
  readonly #log: ExportedLog;
  #tree: TreeEdge = EMPTY_TREE;
  #next: bigint;
  #waiting: Uint8Array[] = [];

  constructor(log: ExportedLog) {
    this.#log = log;
    this.#next = BigInt(log.first ?? "0");
  }

  /** What is wrong with it. */
  add(index: string, hash: Uint8Array): string | undefined {
    const expected = this.#next;
    this.#next = /^\d{1,19}$/.test(index) ? BigInt(index) + 1n : expected + 1n;
    this.#waiting.push(hash);
    if (this.#waiting.length >= BATCH) this.#grow();
    return index === String(expected) ? undefined : `entry ${index} stands where ${expected} is expected`;
  }

  end(): string | undefined {
    this.#grow();
    const isSame = String(this.#tree.size) === this.#log.size && encodeHex(edgeRoot(this.#tree)) === this.#log.root;
    return isSame ? undefined : "its entries do not hash to the root that the log signed";
  }

  #grow(): void {
    const { size, edge } = growTree(this.#tree, this.#waiting);
    this.#tree = { size, edge };
    this.#waiting = [];
  }
}
