import { Unavailable } from "@chancery/fault";

/** A statement PostgreSQL parses and plans once per connection. The name is unique in the program. */
export interface Prepared {
  readonly name: string;
  readonly text: string;
}

export interface Queryable {
  /**
   * Rows of one statement. bigint columns are bigint, bytea columns Uint8Array. Queries issued without
   * awaiting the one before travel together and run in order.
   */
  query<Row>(sql: string | Prepared, params?: readonly unknown[]): Promise<Row[]>;
}

export interface Transaction extends Queryable {
  /**
   * Sends COMMIT with the statements of this turn instead of after their answers. Whoever does so has them fail where
   * nothing of them may stay. No statement MAY follow.
   */
  commitTogether(): void;
}

/**
 * COMMIT was sent and its answer never came: the transaction is either wholly there or wholly not. The
 * caller MUST look, and MUST NOT simply run it again.
 */
export class OutcomeUnknown extends Unavailable {}
