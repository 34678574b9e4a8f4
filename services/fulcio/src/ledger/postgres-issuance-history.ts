import { Pushback } from "@chancery/fault";
import type { Database } from "@chancery/postgres";
import type { SubjectAlternativeName } from "@chancery/x509";
import type {
  CertificateCounts,
  CertificatePlace,
  CertificateQuery,
  Counted,
  IssuanceHistory,
  Page,
  Ranking,
  RefusalCounts,
  RefusalQuery,
  TimeRange,
} from "../domain/issuance-history.ts";
import type { IssuedEntry, PlacedRefusal, RefusalCursor } from "../domain/issuance-ledger.ts";
import type { RefusalCode } from "../domain/refusal-code.ts";
import { type CertificateRow, type RefusalRow, toIssuedEntry, toRefusal } from "./ledger-rows.ts";
import {
  COUNT_CERTIFICATES,
  COUNT_REFUSALS,
  MOST_COUNTED,
  selectCertificates,
  selectRefusals,
  type Statement,
} from "./history-statements.ts";
import { SharedAnswers } from "./shared-answers.ts";

/** Of the ten connections of readers; the others are for whoever reads the logs. */
const AT_ONCE = 2;
const MOST_WAITING = 32;
const STATEMENT_TIMEOUT = "SET LOCAL statement_timeout = '5s'";

export class PostgresIssuanceHistory implements IssuanceHistory {
  readonly #db: Database;
  readonly #counts: SharedAnswers<CountRow[]>;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];

  /** Of a database that `PostgresIssuanceLedger` has opened before. */
  constructor(db: Database, now: () => number = () => performance.now()) {
    this.#db = db;
    this.#counts = new SharedAnswers(now);
  }

  async certificates(query: CertificateQuery): Promise<Page<IssuedEntry, CertificatePlace>> {
    const statement = selectCertificates(query);
    const rows = await this.#read<Looked<CertificateRow>>(statement);
    return pageOf(rows, query.limit, statement, toIssuedEntry, ({ time, serial }) => ({ time, serial }));
  }

  async refusals(query: RefusalQuery): Promise<Page<PlacedRefusal, RefusalCursor>> {
    const statement = selectRefusals(query);
    const rows = await this.#read<Looked<RefusalRow>>(statement);
    return pageOf(rows, query.limit, statement, toRefusal, ({ time, place }) => ({ time, place }));
  }

  async countCertificates(range: TimeRange): Promise<CertificateCounts> {
    const rows = await this.#count(COUNT_CERTIFICATES, range);
    const identities = ranking(rows, "san", ({ san_type, san, first, last }) => ({
      san: { type: san_type as SubjectAlternativeName["type"], value: san ?? "" },
      first: Number(first),
      last: Number(last),
    }));
    return { ...counted(rows), identities };
  }

  async countRefusals(range: TimeRange): Promise<RefusalCounts> {
    const rows = await this.#count(COUNT_REFUSALS, range);
    return { ...counted(rows), codes: ranking(rows, "code", ({ code }) => ({ code: code as RefusalCode })) };
  }

  #count(text: string, { from, to }: TimeRange): Promise<CountRow[]> {
    const question = JSON.stringify([text === COUNT_REFUSALS, from, to]);
    return this.#counts.ask(question, () => this.#read<CountRow>({ text, values: [from, to] }));
  }

  /** A few at a time, each with little time: who audits must not keep others from signing. */
  async #read<Row>({ text, values }: Pick<Statement, "text" | "values">): Promise<Row[]> {
    await this.#turn();
    try {
      return await this.#db.readOnly(async (tx) => {
        const [, rows] = await Promise.all([tx.query(STATEMENT_TIMEOUT), tx.query<Row>(text, values)]);
        return rows;
      });
    } finally {
      this.#underWay -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    if (this.#underWay >= AT_ONCE) {
      if (this.#waiting.length >= MOST_WAITING) throw new Pushback("too many questions to the issuance ledger", 1);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#underWay += 1;
  }
}

type Looked<Row> = Row & { readonly matches: boolean; readonly ordinal: bigint };

function pageOf<Row, Entry, Place>(
  rows: readonly Looked<Row>[],
  limit: number,
  { look }: Statement,
  entryOf: (row: Row) => Entry,
  placeOf: (entry: Entry) => Place,
): Page<Entry, Place> {
  const found = rows.filter(({ matches }) => matches);
  const entries = found.slice(0, limit).map(entryOf);
  const [lastEntry, lastLooked] = [entries.at(-1), rows.at(-1)];
  if (found.length > limit && lastEntry !== undefined) return { entries, next: placeOf(lastEntry) };
  const isCut = lastLooked !== undefined && lastLooked.ordinal === BigInt(look);
  return { entries, next: isCut ? placeOf(entryOf(lastLooked)) : undefined };
}

interface CountRow {
  readonly kind: "all" | "issuer" | "san" | "code" | "day";
  readonly issuer: string | null;
  readonly san_type: string | null;
  readonly san: string | null;
  readonly code: string | null;
  readonly day: bigint | null;
  readonly count: bigint;
  readonly rows: bigint;
  readonly first: bigint;
  readonly last: bigint;
  readonly different: bigint;
}

function counted(rows: readonly CountRow[]): Counted {
  const all = rows.find(({ kind }) => kind === "all");
  return {
    count: Number(all?.count ?? 0n),
    // At the very bound nobody has looked whether there is more.
    countedFrom: all !== undefined && all.rows >= MOST_COUNTED ? Number(all.first) : undefined,
    issuers: ranking(rows, "issuer", ({ issuer }) => ({ issuer: issuer ?? undefined })),
    days: new Map(rows.filter(({ kind }) => kind === "day").map(({ day, count }) => [Number(day), Number(count)])),
  };
}

function ranking<Value extends object>(
  rows: readonly CountRow[],
  wanted: CountRow["kind"],
  valueOf: (row: CountRow) => Value,
): Ranking<Value> {
  const ranked = rows.filter(({ kind }) => kind === wanted);
  return {
    different: Number(ranked[0]?.different ?? 0n),
    top: ranked.map((row) => Object.assign(valueOf(row), { count: Number(row.count) })),
  };
}
