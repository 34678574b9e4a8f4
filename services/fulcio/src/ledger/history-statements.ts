import type { CertificateQuery, RefusalQuery } from "../domain/issuance-history.ts";

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
  /** A row with this ordinal is the last one looked at, be it a match or not. */
  readonly look: number;
}

/** Rows of an index that one page looks at where the index answers only part of the question: 80 ms in memory, on a crowded machine. */
const LOOK = 5_000;
/** Rows that are counted: 0.8 s in memory, on a crowded machine. */
export const MOST_COUNTED = 100_000;
export const MOST_RANKED = 100;

const LAST_TIME = 2n ** 63n - 1n;

/** An index of a table that begins with `column` and goes on with time and place. */
interface Driver {
  readonly column: string;
  readonly value: (placeholder: string) => string;
}

const EXACT = (column: string): Driver => ({ column, value: (placeholder) => placeholder });
/** An index takes no 4 kB. */
const BEGINNING = (column: string): Driver => ({
  column: `left(${column}, 200)`,
  value: (placeholder) => `left(${placeholder}, 200)`,
});

export function selectCertificates(query: CertificateQuery): Statement {
  const filters = [
    // Rarest first: the index of the first one that is asked for is walked.
    { column: "serial", value: query.serial, driver: EXACT("serial") },
    { column: "key_hash", value: query.keyHash, driver: EXACT("key_hash") },
    { column: "san", value: query.san, driver: BEGINNING("san") },
    { column: "subject", value: query.subject, driver: BEGINNING("subject") },
    { column: "issuer", value: query.issuer, driver: EXACT("issuer") },
  ];
  const after = query.after && { time: query.after.time, place: query.after.serial };
  return page({ table: "fulcio.certificate", place: "serial", first: "''::bytea", filters }, query, after);
}

export function selectRefusals(query: RefusalQuery): Statement {
  const filters = [
    { column: "subject", value: query.subject, driver: BEGINNING("subject") },
    { column: "code", value: query.code, driver: EXACT("code") },
    { column: "issuer", value: query.issuer, driver: EXACT("issuer") },
  ];
  return page({ table: "fulcio.refusal", place: "place", first: "0", filters }, query, query.after);
}

interface Source {
  readonly table: string;
  readonly place: string;
  /** Before every place. */
  readonly first: string;
  readonly filters: readonly { readonly column: string; readonly value: unknown; readonly driver: Driver }[];
}

/**
 * The bounds of the walk are comparisons of whole rows, which one index alone can answer in this order: PostgreSQL has
 * no other plan to choose, and whatever the table holds, no more rows are looked at than `look`.
 */
function page(
  { table, place, first, filters }: Source,
  { from, to, order, limit }: CertificateQuery | RefusalQuery,
  after: { readonly time: number; readonly place: unknown } | undefined,
): Statement {
  const values: unknown[] = [];
  const param = (value: unknown) => `$${values.push(value)}`;
  const asked = filters
    .filter(({ value }) => value !== undefined)
    .map(({ column, value, driver }) => ({ column, driver, at: param(value) }));
  const [leading] = asked;
  const walked = leading && { column: leading.driver.column, value: leading.driver.value(leading.at) };
  const isByPlace = walked?.column === place;
  const columns = [...(walked === undefined ? [] : [walked.column]), "time", ...(isByPlace ? [] : [place])];
  // Called only where it is used: PostgreSQL takes no parameter that is not mentioned.
  const row = (time: number | bigint, at: () => string) => {
    const parts = [
      ...(walked === undefined ? [] : [walked.value]),
      `${param(time)}::bigint`,
      ...(isByPlace ? [] : [at()]),
    ];
    return `(${parts.join(", ")})`;
  };
  const begin = () => `>= ${row(from ?? 0, () => first)}`;
  const end = () => `< ${row(to ?? LAST_TIME, () => first)}`;
  const beyond = after && row(after.time, () => param(after.place));
  const isNewest = order === "newest";
  const bounds = isNewest
    ? [begin(), beyond === undefined ? end() : `< ${beyond}`]
    : [beyond === undefined ? begin() : `> ${beyond}`, end()];
  const direction = isNewest ? "DESC" : "ASC";
  const key = columns.join(", ");
  const isWhole = asked.length === 0 || (asked.length === 1 && leading?.driver.column === leading?.column);
  const look = isWhole ? limit + 1 : Math.max(LOOK, limit + 1);
  const matches = isWhole ? "true" : asked.map(({ column, at }) => `${column} = ${at}`).join(" AND ");
  const text = `SELECT * FROM (
    SELECT walked.*, ${matches} AS matches, row_number() OVER () AS ordinal FROM (
      SELECT * FROM ${table} WHERE ${bounds.map((bound) => `(${key}) ${bound}`).join(" AND ")}
      ORDER BY ${columns.map((column) => `${column} ${direction}`).join(", ")} LIMIT ${param(look)}) AS walked) AS looked
    WHERE matches OR ordinal = ${look} ORDER BY ordinal LIMIT ${param(limit + 1)}`;
  return { text, values, look };
}

/** Of the newest of a range: all, by issuer, by name, by day; of the first two the most frequent. */
export const COUNT_CERTIFICATES = count(
  `SELECT issuer, san_type, san, NULL::text AS code, time, 1 AS count FROM fulcio.certificate`,
  "serial",
);

export const COUNT_REFUSALS = count(
  `SELECT issuer, NULL::text AS san_type, NULL::text AS san, code, time, count FROM fulcio.refusal`,
  "place",
);

function count(select: string, place: string): string {
  return `WITH looked AS MATERIALIZED (
    ${select} WHERE time >= $1::bigint AND time < $2::bigint ORDER BY time DESC, ${place} DESC LIMIT ${MOST_COUNTED}),
  counted AS (
    SELECT issuer, san_type, san, code, time / 86400000 AS day, sum(count)::bigint AS count, count(*) AS rows,
      min(time) AS first, max(time) AS last,
      CASE WHEN grouping(issuer) = 0 THEN 'issuer' WHEN grouping(code) = 0 THEN 'code'
        WHEN grouping(san) = 0 THEN 'san' WHEN grouping(time / 86400000) = 0 THEN 'day' ELSE 'all' END AS kind
    FROM looked GROUP BY GROUPING SETS ((), (issuer), (san_type, san), (code), (time / 86400000)))
  SELECT * FROM (
    SELECT *, count(*) OVER (PARTITION BY kind) AS different,
      row_number() OVER (PARTITION BY kind ORDER BY count DESC, issuer, san_type, san, code) AS rank FROM counted) AS ranked
  WHERE kind = 'day' OR rank <= ${MOST_RANKED} ORDER BY kind, rank`;
}
