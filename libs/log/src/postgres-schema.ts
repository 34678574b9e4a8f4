import type { Migration, Schema } from "@chancery/postgres";

/**
 * The tables of all logs in a database. Only `tree` and `published` are ever updated, one small row a log
 * each; everything else is written once, so there is nothing to vacuum and what is old never changes.
 *
 * For 10^9 entries: `entry`, `tile` partition by range of `index` (old partitions are read-only and can
 * move to slower disks), `identity`, `leaf_hash`, `search_key` by hash of their hash or key; every
 * primary key holds the column its table would be partitioned by. Nothing but (log, identity) has to be
 * unique across partitions of `entry`, and that is a table of its own.
 */
const logMigrations: readonly Migration[] = [
  {
    number: 1,
    name: "logs, trees, entries, tiles and search keys",
    sql: `
CREATE SCHEMA log;

CREATE TABLE log.log (
  id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name    text  NOT NULL UNIQUE,
  origin  text  NOT NULL,
  key_id  bytea NOT NULL
);

-- The row that orders all writers of a log: they lock it, and advance it by compare-and-swap.
-- The right edge stands here so that a batch reads one row; it must hash to the root.
CREATE TABLE log.tree (
  log     integer PRIMARY KEY REFERENCES log.log,
  size    bigint  NOT NULL,
  time    bigint  NOT NULL,
  frozen  boolean NOT NULL DEFAULT false,
  root    bytea   NOT NULL,
  edge    bytea   NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE log.published (
  log     integer PRIMARY KEY REFERENCES log.log,
  size    bigint  NOT NULL,
  time    bigint  NOT NULL,
  root    bytea   NOT NULL,
  note    bytea   NOT NULL
) WITH (fillfactor = 10);

-- identity is NULL where it is the leaf hash, extra where there is none: both can be told from the leaf.
CREATE TABLE log.entry (
  index    bigint  NOT NULL,
  time     bigint  NOT NULL,
  log      integer NOT NULL,
  identity bytea,
  leaf     bytea   NOT NULL,
  extra    bytea,
  PRIMARY KEY (log, index)
);
-- Keys, signatures and base64 hardly shrink; trying costs more than it saves.
ALTER TABLE log.entry ALTER leaf SET STORAGE EXTERNAL;

CREATE TABLE log.identity (
  index    bigint  NOT NULL,
  log      integer NOT NULL,
  hash     bytea   NOT NULL,
  PRIMARY KEY (log, hash)
);

-- Only of entries whose identity is another.
CREATE TABLE log.leaf_hash (
  index    bigint  NOT NULL,
  log      integer NOT NULL,
  hash     bytea   NOT NULL,
  PRIMARY KEY (log, hash)
);

CREATE TABLE log.search_key (
  index    bigint  NOT NULL,
  log      integer NOT NULL,
  key      bytea   NOT NULL,
  PRIMARY KEY (log, key, index)
);

-- A tile is its rows in order of start, concatenated: each batch adds what it knows, so a partial tile is
-- never rewritten (a batch of one would rewrite 8 kB at each level for 32 bytes of news).
CREATE TABLE log.tile (
  index    bigint   NOT NULL,
  log      integer  NOT NULL,
  level    smallint NOT NULL,
  start    smallint NOT NULL,
  hashes   bytea    NOT NULL,
  PRIMARY KEY (log, level, index, start)
);
ALTER TABLE log.tile ALTER hashes SET STORAGE EXTERNAL;

CREATE FUNCTION log.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a transparency log is append-only: % of %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;

CREATE FUNCTION log.refuse_shrinking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.size < OLD.size OR NEW.time < OLD.time OR NEW.log <> OLD.log THEN
    RAISE EXCEPTION 'a transparency log only grows: %.% was at size %', TG_TABLE_SCHEMA, TG_TABLE_NAME, OLD.size;
  END IF;
  RETURN NEW;
END $$;

${["entry", "identity", "leaf_hash", "search_key", "tile", "log"].map(appendOnly).join("")}
${["tree", "published"].map(growOnly).join("")}
CREATE TRIGGER frozen_for_ever BEFORE UPDATE ON log.tree
  FOR EACH ROW WHEN (OLD.frozen AND NOT NEW.frozen) EXECUTE FUNCTION log.refuse_change();
`,
  },
  {
    number: 2,
    name: "what was stored is compared in the server",
    sql: `
-- Called for what a batch wrote, as it is read back, so that COMMIT may travel with it and yet commits nothing else.
CREATE FUNCTION log.expect_stored(what text, stored bytea, given bytea) RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN
  IF stored IS DISTINCT FROM given THEN
    RAISE EXCEPTION 'the database stored other % than it was given', what USING ERRCODE = 'LG001';
  END IF;
  RETURN stored;
END $$;
`,
  },
];

/** What a service may do with it. */
export const logSchema: Schema = { name: "log", migrations: logMigrations, updated: ["tree", "published"] };

/**
 * A trigger for who connects as the tables' owner; the grants are for every other role. The owner of `log` keeps
 * its UPDATE, which PostgreSQL wants of it to check a foreign key (FOR KEY SHARE); the trigger refuses it all the same.
 */
function appendOnly(table: string): string {
  const grantees = table === "log" ? "PUBLIC" : "PUBLIC, CURRENT_USER";
  return `
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.${table}
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON log.${table} FROM ${grantees};
`;
}

function growOnly(table: string): string {
  return `
CREATE TRIGGER grow_only BEFORE UPDATE ON log.${table}
  FOR EACH ROW EXECUTE FUNCTION log.refuse_shrinking();
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON log.${table}
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
`;
}
