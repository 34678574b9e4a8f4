import { bigintArray, bytesArray, type Database, integerArray, migrate, textArray } from "@chancery/postgres";
import type {
  IssuanceLedger,
  IssuedEntry,
  IssuedQuery,
  PlacedRefusal,
  RefusedEntry,
  RefusedQuery,
} from "../domain/issuance-ledger.ts";
import { GroupCommit } from "./group-commit.ts";
import { type CertificateRow, type RefusalRow, toIssuedEntry, toRefusal } from "./ledger-rows.ts";
import { ledgerSchema } from "./postgres-schema.ts";
import { INSERT_CERTIFICATES, INSERT_REFUSALS, selectIssued, selectRefused } from "./postgres-statements.ts";

/** More certificates than the service has requests in flight. */
const MOST_WAITING = 4096;
const MOST_REFUSALS_WAITING = 512;

/** The ledger of all processes that issue on one PostgreSQL database. */
export class PostgresIssuanceLedger implements IssuanceLedger {
  readonly #db: Database;
  readonly #certificates: GroupCommit<IssuedEntry>;
  readonly #refusals: GroupCommit<RefusedEntry>;

  private constructor(db: Database) {
    this.#db = db;
    this.#certificates = new GroupCommit((entries) => this.#insertIssued(entries), MOST_WAITING);
    this.#refusals = new GroupCommit((entries) => this.#insertRefused(entries), MOST_REFUSALS_WAITING);
  }

  /** Brings the schema up to date. The caller keeps and closes the database. */
  static async open(db: Database): Promise<PostgresIssuanceLedger> {
    await migrate(db, ledgerSchema.name, ledgerSchema.migrations);
    return new PostgresIssuanceLedger(db);
  }

  /** To be read, also by a role that may do nothing else; undefined if the database has no ledger. */
  static async find(db: Database): Promise<Pick<IssuanceLedger, "issued" | "refused"> | undefined> {
    const [row] = await db.query<{ found: boolean }>("SELECT to_regclass('fulcio.certificate') IS NOT NULL AS found");
    return row?.found === true ? new PostgresIssuanceLedger(db) : undefined;
  }

  /**
   * A commit whose answer is lost may have stored the entry: the ledger then holds a certificate that never left,
   * which harms nobody. The client's retry gets another one, with a serial of its own.
   */
  recordIssued(entry: IssuedEntry): Promise<void> {
    return this.#certificates.add(entry);
  }

  recordRefused(entry: RefusedEntry): Promise<void> {
    return this.#refusals.add(entry);
  }

  async issued(query: IssuedQuery): Promise<readonly IssuedEntry[]> {
    const { text, values } = selectIssued(query);
    return (await this.#db.query<CertificateRow>(text, values)).map(toIssuedEntry);
  }

  async refused(query: RefusedQuery): Promise<readonly PlacedRefusal[]> {
    const { text, values } = selectRefused(query);
    return (await this.#db.query<RefusalRow>(text, values)).map(toRefusal);
  }

  async #insertIssued(entries: readonly IssuedEntry[]): Promise<void> {
    const bytes = (pick: (entry: IssuedEntry) => Uint8Array) => bytesArray(entries.map(pick));
    const texts = (pick: (entry: IssuedEntry) => string) => textArray(entries.map(pick));
    await this.#db.reserved.query(INSERT_CERTIFICATES, [
      bigintArray(entries.map(({ time }) => BigInt(time))),
      bigintArray(entries.map(({ ctIndex }) => ctIndex ?? -1n)),
      bytes(({ serial }) => serial),
      bytes(({ certificateHash }) => certificateHash),
      bytes(({ keyHash }) => keyHash),
      bytes(({ claimsHash }) => claimsHash),
      texts(({ issuer }) => issuer),
      texts(({ subject }) => subject),
      texts(({ san }) => san.type),
      texts(({ san }) => san.value),
      texts(({ wouldRefuse }) => wouldRefuse ?? ""),
      bytes(({ certificate }) => certificate),
    ]);
  }

  async #insertRefused(entries: readonly RefusedEntry[]): Promise<void> {
    const texts = (pick: (entry: RefusedEntry) => string | undefined) =>
      textArray(entries.map((entry) => pick(entry) ?? ""));
    await this.#db.reserved.query(INSERT_REFUSALS, [
      bigintArray(entries.map(({ time }) => BigInt(time))),
      integerArray(entries.map(({ count }) => count)),
      texts(({ code }) => code),
      texts(({ reason }) => reason),
      texts(({ issuer }) => issuer),
      texts(({ subject }) => subject),
      texts(({ rule }) => rule),
    ]);
  }
}
