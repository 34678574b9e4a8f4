import type { Migration, Schema } from "@chancery/postgres";

/**
 * What the authority issued and refused. Nothing is ever updated or deleted. For 10^9 certificates: both tables
 * partition by range of `time`, which every primary key begins with.
 */
const ledgerMigrations: readonly Migration[] = [
  {
    number: 1,
    name: "certificates and refusals",
    sql: `
CREATE SCHEMA fulcio;

-- Times are milliseconds since the epoch. ct_index is NULL where the CT log does not tell it, would_refuse but for
-- what a policy in dry run would have refused.
CREATE TABLE fulcio.certificate (
  time             bigint NOT NULL,
  ct_index         bigint,
  serial           bytea  NOT NULL,
  certificate_hash bytea  NOT NULL,
  key_hash         bytea  NOT NULL,
  claims_hash      bytea  NOT NULL,
  issuer           text   COLLATE "C" NOT NULL,
  subject          text   COLLATE "C" NOT NULL,
  san_type         text   COLLATE "C" NOT NULL,
  san              text   COLLATE "C" NOT NULL,
  would_refuse     text   COLLATE "C",
  certificate      bytea  NOT NULL,
  PRIMARY KEY (time, serial)
);
-- Keys and signatures hardly shrink; trying costs more than it saves.
ALTER TABLE fulcio.certificate ALTER certificate SET STORAGE EXTERNAL;
CREATE INDEX certificate_serial ON fulcio.certificate (serial);
CREATE INDEX certificate_issuer ON fulcio.certificate (issuer, time);
-- A part of the name, for an index takes no 4 kB; with it the beginning of a name can be searched for too.
CREATE INDEX certificate_san ON fulcio.certificate (left(san, 200), time);
CREATE INDEX certificate_would_refuse ON fulcio.certificate (time) WHERE would_refuse IS NOT NULL;

-- count is above 1 where many were refused and only their number is kept.
CREATE TABLE fulcio.refusal (
  time    bigint  NOT NULL,
  place   bigint  GENERATED ALWAYS AS IDENTITY,
  count   integer NOT NULL,
  code    text    COLLATE "C" NOT NULL,
  reason  text    COLLATE "C" NOT NULL,
  issuer  text    COLLATE "C",
  subject text    COLLATE "C",
  rule    text    COLLATE "C",
  PRIMARY KEY (time, place)
);

CREATE FUNCTION fulcio.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the issuance ledger is append-only: % of %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;
${["certificate", "refusal"].map(appendOnly).join("")}`,
  },
  {
    number: 2,
    name: "indexes that auditors ask by",
    // Each ends in the table's primary key: a page begins where the one before ended, within the index.
    sql: `
CREATE INDEX certificate_by_issuer ON fulcio.certificate (issuer, time, serial);
CREATE INDEX certificate_by_san ON fulcio.certificate (left(san, 200), time, serial);
CREATE INDEX certificate_by_subject ON fulcio.certificate (left(subject, 200), time, serial);
CREATE INDEX certificate_by_key ON fulcio.certificate (key_hash, time, serial);
CREATE INDEX certificate_by_serial ON fulcio.certificate (serial, time);
DROP INDEX fulcio.certificate_issuer, fulcio.certificate_san, fulcio.certificate_serial;

CREATE INDEX refusal_by_code ON fulcio.refusal (code, time, place);
CREATE INDEX refusal_by_issuer ON fulcio.refusal (issuer, time, place);
CREATE INDEX refusal_by_subject ON fulcio.refusal (left(subject, 200), time, place);
`,
  },
];

/** What a service may do with it: read and add. */
export const ledgerSchema: Schema = { name: "fulcio", migrations: ledgerMigrations, updated: [] };

/** A trigger for who connects as the tables' owner; the grants are for every other role. */
function appendOnly(table: string): string {
  return `
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fulcio.${table}
  FOR EACH STATEMENT EXECUTE FUNCTION fulcio.refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON fulcio.${table} FROM PUBLIC, CURRENT_USER;
`;
}
