import type { Prepared } from "@chancery/postgres";
import type { IssuedQuery, RefusedQuery } from "../domain/issuance-ledger.ts";

/** A statement of its own is a transaction: answered, it is durable. -1 and the empty string stand for NULL. */
export const INSERT_CERTIFICATES: Prepared = {
  name: "fulcio-insert-certificates",
  text: `INSERT INTO fulcio.certificate (time, ct_index, serial, certificate_hash, key_hash, claims_hash,
     issuer, subject, san_type, san, would_refuse, certificate)
   SELECT time, nullif(ct_index, -1), serial, certificate_hash, key_hash, claims_hash,
     issuer, subject, san_type, san, nullif(would_refuse, ''), certificate
   FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[],
     $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bytea[])
   AS added (time, ct_index, serial, certificate_hash, key_hash, claims_hash,
     issuer, subject, san_type, san, would_refuse, certificate)`,
};

/** Committed without waiting for the disk: a power cut may take the last few, and a storm of them slows no certificate. */
export const INSERT_REFUSALS: Prepared = {
  name: "fulcio-insert-refusals",
  text: `INSERT INTO fulcio.refusal (time, count, code, reason, issuer, subject, rule)
   SELECT time, count, code, reason, nullif(issuer, ''), nullif(subject, ''), nullif(rule, '')
   FROM set_config('synchronous_commit', 'off', true),
     unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
   AS added (time, count, code, reason, issuer, subject, rule)`,
};

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Only the conditions that are asked for, so that each question gets the plan for its own index. */
export function selectIssued(query: IssuedQuery): Statement {
  const where = new Conditions();
  where.add(query.serial, (value) => `serial = ${value}`);
  where.add(query.issuer, (value) => `issuer = ${value}`);
  where.add(query.san, (value) => `left(san, 200) = left(${value}, 200) AND san = ${value}`);
  where.add(query.sanPrefix, (value) => `left(san, 200) ^@ left(${value}, 200) AND san ^@ ${value}`);
  where.add(query.since, (value) => `time >= ${value}`);
  where.add(query.until, (value) => `time < ${value}`);
  if (query.wouldRefuse === true) where.addPlain("would_refuse IS NOT NULL");
  const { after } = query;
  if (after !== undefined)
    where.addPlain(`(time, serial) < (${where.value(after.time)}, ${where.value(after.serial)})`);
  return where.statement("fulcio.certificate", "time DESC, serial DESC", query.limit);
}

export function selectRefused(query: RefusedQuery): Statement {
  const where = new Conditions();
  where.add(query.issuer, (value) => `issuer = ${value}`);
  where.add(query.code, (value) => `code = ${value}`);
  where.add(query.since, (value) => `time >= ${value}`);
  where.add(query.until, (value) => `time < ${value}`);
  const { after } = query;
  if (after !== undefined) where.addPlain(`(time, place) < (${where.value(after.time)}, ${where.value(after.place)})`);
  return where.statement("fulcio.refusal", "time DESC, place DESC", query.limit);
}

class Conditions {
  readonly #conditions: string[] = [];
  readonly #values: unknown[] = [];

  add(value: unknown, condition: (placeholder: string) => string): void {
    if (value !== undefined) this.#conditions.push(condition(this.value(value)));
  }

  addPlain(condition: string): void {
    this.#conditions.push(condition);
  }

  value(value: unknown): string {
    return `$${this.#values.push(value)}`;
  }

  statement(table: string, order: string, limit: number): Statement {
    const where = this.#conditions.length === 0 ? "" : `WHERE ${this.#conditions.join(" AND ")}`;
    return {
      text: `SELECT * FROM ${table} ${where} ORDER BY ${order} LIMIT ${this.value(limit)}`,
      values: this.#values,
    };
  }
}
