import { bytesArray, type Queryable } from "@chancery/postgres";

/** A row of the CA's ledger. */
export interface LedgerRow {
  readonly time: bigint;
  readonly ctIndex: bigint | undefined;
  readonly serial: Uint8Array;
  readonly certificateHash: Uint8Array;
  readonly keyHash: Uint8Array;
  readonly claimsHash: Uint8Array;
  readonly issuer: string;
  readonly subject: string;
  readonly sanType: string;
  readonly san: string;
  readonly wouldRefuse: string | undefined;
  readonly certificate: Uint8Array;
}

interface StoredRow {
  readonly time: bigint;
  readonly ct_index: bigint | null;
  readonly serial: Uint8Array;
  readonly certificate_hash: Uint8Array;
  readonly key_hash: Uint8Array;
  readonly claims_hash: Uint8Array;
  readonly issuer: string;
  readonly subject: string;
  readonly san_type: string;
  readonly san: string;
  readonly would_refuse: string | null;
  readonly certificate: Uint8Array;
}

export function nameOf({ serial }: LedgerRow): string {
  return `the certificate ${serial.toHex()} of the ledger`;
}

export function evidenceOf({ serial, certificate, ctIndex }: LedgerRow): object {
  return {
    serial: serial.toHex(),
    certificate: Buffer.from(certificate).toString("base64"),
    ctIndex: ctIndex === undefined ? null : String(ctIndex),
  };
}

export interface LedgerPlace {
  readonly time: bigint;
  readonly serial: Uint8Array;
}

export const START: LedgerPlace = { time: -1n, serial: new Uint8Array() };

export function parsePlace(text: string | undefined): LedgerPlace {
  const [time, serial = ""] = text?.split("/") ?? [];
  return time === undefined ? START : { time: BigInt(time), serial: Uint8Array.fromHex(serial) };
}

export function formatPlace({ time, serial }: LedgerPlace): string {
  return `${time}/${serial.toHex()}`;
}

export function timeOf({ time }: LedgerPlace): string {
  return time < 0n ? "none" : new Date(Number(time)).toISOString();
}

/** The oldest rows after a place. */
export async function readLedger(db: Queryable, after: LedgerPlace, limit: number): Promise<LedgerRow[]> {
  const rows = await db.query<StoredRow>(ROWS, [after.time, after.serial, limit]);
  return rows.map(ledgerRow);
}

export async function readLedgerRow(db: Queryable, { time, serial }: LedgerPlace): Promise<LedgerRow | undefined> {
  const [row] = await db.query<StoredRow>(ROW, [time, serial]);
  return row && ledgerRow(row);
}

function ledgerRow(row: StoredRow): LedgerRow {
  return {
    time: row.time,
    ctIndex: row.ct_index ?? undefined,
    serial: row.serial,
    certificateHash: row.certificate_hash,
    keyHash: row.key_hash,
    claimsHash: row.claims_hash,
    issuer: row.issuer,
    subject: row.subject,
    sanType: row.san_type,
    san: row.san,
    wouldRefuse: row.would_refuse ?? undefined,
    certificate: row.certificate,
  };
}

/** Which of these serials have a row, in hexadecimal without leading zeros. */
export async function serialsInLedger(db: Queryable, serials: readonly Uint8Array[]): Promise<ReadonlySet<string>> {
  if (serials.length === 0) return new Set();
  const rows = await db.query<{ serial: Uint8Array }>(SERIALS, [bytesArray(serials.flatMap(spellingsOf))]);
  return new Set(rows.map(({ serial }) => unsigned(serial)));
}

/** The rows of a serial number, of which a ledger has one if nobody forged another. */
export async function readLedgerRowsOf(db: Queryable, serial: Uint8Array): Promise<LedgerRow[]> {
  const rows = await db.query<StoredRow>(ROWS_OF, [bytesArray(spellingsOf(serial))]);
  return rows.map(ledgerRow);
}

function spellingsOf(serial: Uint8Array): Uint8Array[] {
  return [serial, Uint8Array.fromHex(unsigned(serial).padStart(2 * SERIAL_BYTES, "0"))];
}

/** DER takes zero octets from a number's front, and puts one before a set bit; a column does neither. */
export function unsigned(serial: Uint8Array): string {
  return serial.toHex().replace(/^(00)+/, "");
}

const SERIAL_BYTES = 20;

const COLUMNS =
  "time, ct_index, serial, certificate_hash, key_hash, claims_hash, issuer, subject, san_type, san, would_refuse, certificate";

const ROW = `SELECT ${COLUMNS} FROM fulcio.certificate WHERE time = $1 AND serial = $2`;

const ROWS = `SELECT ${COLUMNS} FROM fulcio.certificate WHERE (time, serial) > ($1, $2) ORDER BY time, serial LIMIT $3`;

const ROWS_OF = `SELECT ${COLUMNS} FROM fulcio.certificate WHERE serial = ANY ($1::bytea[])`;

const SERIALS = `SELECT serial FROM fulcio.certificate WHERE serial = ANY ($1::bytea[])`;
