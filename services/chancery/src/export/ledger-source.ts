import { setTimeout as delay } from "node:timers/promises";
import { decodeHex, encodeBase64, encodeHex, utf8 } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import {
  certificateJson,
  type CertificateQuery,
  type IssuanceHistory,
  type IssuedEntry,
  type PlacedRefusal,
  refusalJson,
  type RefusalQuery,
} from "@chancery/fulcio";
import { type Cell, csvRecord } from "./csv.ts";
import { extensionCells, EXTENSION_COLUMNS } from "./extension-columns.ts";
import type { HeldCertificates } from "./held-certificates.ts";
import type { ExportedLog } from "./manifest.ts";
import type { Format, Lines, Position, Source } from "./source.ts";

const PAGE = 500;

interface Shape<Query, Entry> {
  readonly columns: readonly string[];
  readonly json: (entry: Entry) => object;
  readonly cells: (entry: Entry) => readonly Cell[];
  readonly read: (query: Query) => Promise<{ readonly entries: readonly Entry[]; readonly next: unknown }>;
  readonly positionOf: (place: never) => Position;
  readonly placeOf: (position: Position) => unknown;
}

export interface LedgerRange {
  readonly from: number;
  readonly to: number;
}

interface LedgerExport<Query> {
  readonly history: IssuanceHistory;
  readonly query: Omit<Query, "order" | "limit" | "after" | "from" | "to">;
  readonly range: LedgerRange;
  readonly format: Format;
  readonly log: ExportedLog;
}

interface CertificateExport extends LedgerExport<CertificateQuery> {
  /** Whether tokens of this issuer name another one, which the certificate then has. */
  readonly isFederated: (issuer: string) => boolean;
  /** Holds what is exported against the CT log. */
  readonly logged?: ((after: Position | undefined) => Promise<HeldCertificates>) | undefined;
}

export function certificateSource(options: CertificateExport): Source {
  const { isFederated } = options;
  return ledgerSource(options, {
    columns: CERTIFICATE_COLUMNS,
    json: (entry: IssuedEntry) => ({ ...toldOf(entry, isFederated), certificate: encodeBase64(entry.certificate) }),
    cells: (entry: IssuedEntry) => certificateCells(entry, toldOf(entry, isFederated)),
    read: (query: CertificateQuery) => options.history.certificates(query),
    positionOf: ({ time, serial }: IssuedEntry) => ({ time, serial: encodeHex(serial) }),
    placeOf: ({ time, serial }) => ({ time, serial: decodeHex(String(serial), "state") }),
  });
}

export function refusalSource(options: LedgerExport<RefusalQuery>): Source {
  return ledgerSource(options, {
    columns: ["time", "code", "reason", "issuer", "subject", "rule", "count"],
    json: refusalJson,
    cells: (entry: PlacedRefusal) => {
      const { time, code, reason, issuer, subject, rule, count } = refusalJson(entry);
      return [time, code, reason, issuer, subject, rule, count];
    },
    read: (query: RefusalQuery) => options.history.refusals(query),
    positionOf: ({ time, place }: PlacedRefusal) => ({ time, place: String(place) }),
    placeOf: ({ time, place }) => ({ time, place: BigInt(String(place)) }),
  });
}

function ledgerSource<Query, Entry>(
  { query, range, format, log, logged }: LedgerExport<Query> & Pick<CertificateExport, "logged">,
  shape: Shape<Query, Entry>,
): Source {
  const line = (entry: Entry) =>
    format === "csv" ? csvRecord(shape.cells(entry)) : `${JSON.stringify(shape.json(entry))}\n`;
  const total = BigInt(Math.max(0, range.to - range.from));
  let held: HeldCertificates | undefined;
  return {
    head: format === "csv" ? csvRecord(shape.columns) : "",
    total,
    step: "milliseconds of the ledger",
    get logs() {
      return [held?.log ?? log];
    },
    async *lines(after): AsyncGenerator<Lines> {
      held = await logged?.(after);
      let place = after && shape.placeOf(after);
      for (;;) {
        const asked = { ...query, ...range, order: "oldest", limit: PAGE, after: place } as Query;
        const { entries, next } = await shape.read(asked);
        const end = next ?? entries.at(-1);
        if (end === undefined) break;
        const own = shape.positionOf(end as never);
        await held?.take(entries as readonly IssuedEntry[], Number(own["time"]));
        const position = { ...own, ...held?.position };
        const done = BigInt(Number(position["time"]) - range.from);
        yield { bytes: utf8(entries.map(line).join("")), count: entries.length, position, done };
        if (next === undefined) break;
        place = next;
      }
      await held?.finish(range.to);
    },
  };
}

const CERTIFICATE_COLUMNS = [
  "serial",
  "issuedAt",
  "notBefore",
  "notAfter",
  "issuer",
  "subject",
  "sanType",
  "san",
  "keyHash",
  "certificateHash",
  "claimsHash",
  "ctLog",
  "ctIndex",
  "wouldRefuse",
  "unreadable",
  ...EXTENSION_COLUMNS,
];

/** Nothing is signed for that the certificate itself denies. */
function toldOf(entry: IssuedEntry, isFederated: (issuer: string) => boolean): ReturnType<typeof certificateJson> {
  const told = certificateJson(entry, isFederated);
  if (!("contradicts" in told)) return told;
  throw new RefusedToSign(
    `the ledger's row of the certificate ${told.serial} has another ${told.contradicts} than the certificate: the database was changed${told.contradicts === "issuer" ? ", or --federated-issuer is missing (export --help)" : ""}`,
  );
}

function certificateCells(entry: IssuedEntry, told: ReturnType<typeof certificateJson>): Cell[] {
  const json: Readonly<Record<string, unknown>> = {
    ...told,
    sanType: entry.san.type,
    san: entry.san.value,
  };
  const extensions = (json["extensions"] ?? {}) as Readonly<Record<string, string>>;
  return CERTIFICATE_COLUMNS.slice(0, -EXTENSION_COLUMNS.length)
    .map((column) => json[column] as Cell)
    .concat(extensionCells(extensions));
}

/** From a certificate's time to its row in the database is a turn of the event loop, or a commit that it waits for. */
const ON_THE_WAY_MS = 1_000;

/**
 * An end of now waits until nothing is on its way any more that belongs before it: for those who are writing, and for
 * those who waited for them to write after. Whatever comes later had not left the authority when the export began.
 */
export async function settled(to: number, now: () => number, writersEnded: () => Promise<void>): Promise<void> {
  const wait = to + ON_THE_WAY_MS - now();
  if (wait > 0) await delay(Math.min(wait, ON_THE_WAY_MS));
  await writersEnded();
  await writersEnded();
}
