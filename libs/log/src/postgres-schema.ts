import type { Migration, Schema } from "@chancery/postgres";

/**
 * The tables of all logs in a database. Only `tree` and `published` are ever updated, one small row a log
 * each; everything else is written once, so there is nothing to vacuum and what is old never changes.
 *
 * For 10^9 entries: `entry`, `tile` partition by range of `index` and `search` by that of `place` (old partitions are
 * read-only and can move to slower disks), `identity`, `leaf_hash` by hash of their hash; every
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
  {
    number: 3,
    name: "one row of search keys an entry, and names in order",
    sql: `
-- place: the log's id in the upper bits, the entry's index in the lower 40. Eight columns: with a ninth each row's header
-- would be 8 bytes longer. Columns are told apart in search-key.ts; an entry with more keys of a column has more rows.
CREATE TABLE log.search (
  place  bigint NOT NULL,
  term0  bigint,
  term1  bigint,
  term2  bigint,
  term3  bigint,
  key0   uuid,
  key1   uuid,
  key2   uuid
);
${["term0", "term1", "term2", "term3", "key0", "key1", "key2"].map((column) => `CREATE INDEX search_${column} ON log.search (${column}, place) WHERE ${column} IS NOT NULL;`).join("\n")}

-- Names by how they begin; the key is the one that all entries of the name have in log.search.
CREATE TABLE log.name (
  log     integer NOT NULL,
  name    text    COLLATE "C" NOT NULL,
  key     uuid    NOT NULL,
  PRIMARY KEY (log, name, key)
);

-- Entries of before, which have their keys in search_key alone; and how many of them, from the first on, have them here
-- since.
CREATE TABLE log.search_gap (
  log     integer PRIMARY KEY REFERENCES log.log,
  size    bigint  NOT NULL
);
CREATE TABLE log.search_rebuilt (
  log     integer NOT NULL REFERENCES log.log,
  size    bigint  NOT NULL,
  PRIMARY KEY (log, size)
);
-- A process of before that still runs would go on writing entries that are not found. A trigger is made under SHARE ROW
-- EXCLUSIVE, so no batch of theirs commits between what is counted here and the trigger's first word. (LOCK TABLE wants,
-- before PostgreSQL 17, a right of which the owner has deprived himself above.)
CREATE FUNCTION log.refuse_old_process() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'this database has moved on: start the newer Chancery instead of this one';
END $$;
CREATE TRIGGER moved_on BEFORE INSERT ON log.search_key
  FOR EACH ROW EXECUTE FUNCTION log.refuse_old_process();
INSERT INTO log.search_gap (log, size) SELECT log, size FROM log.tree WHERE size > 0;

${["search", "name", "search_gap", "search_rebuilt"].map(appendOnly).join("")}
`,
  },
  {
    number: 4,
    name: "a process of before is told that it is unavailable",
    sql: `
-- A code of our own in class 57P, operator intervention, which the process of before takes for trouble that passes: its
-- clients are told 503 and when to try again, and not of an internal error.
CREATE OR REPLACE FUNCTION log.refuse_old_process() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'this database has moved on: start the newer Chancery instead of this one' USING ERRCODE = '57PCH';
END $$;
`,
  },
  {
    number: 5,
    name: "partitions are append-only too",
    sql: `
-- What a statement does to a partition by its own name fires no statement trigger of the table that it is a part of. To be
-- called by the tables' owner, whenever partitions were added; what has its trigger is left alone.
CREATE FUNCTION log.guard_partitions() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  part regclass;
BEGIN
  FOR part IN
    SELECT tree.relid FROM pg_class whole CROSS JOIN LATERAL pg_partition_tree(whole.oid) AS tree
    WHERE whole.relnamespace = 'log'::regnamespace AND whole.relkind = 'p' AND NOT EXISTS (
      SELECT FROM pg_trigger WHERE tgrelid = tree.relid AND tgname = 'append_only')
  LOOP
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
      FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change()', part);
  END LOOP;
END $$;
`,
  },
  {
    number: 6,
    name: "leaves with their base64 unpacked",
    sql: `
-- What is there stays as it is. A program of before does not start on what it could not read.
COMMENT ON COLUMN log.entry.leaf IS 'the leaf; where its first octet is 1, its pieces (libs/log/src/packed-leaf.ts)';
`,
  },
  {
    number: 7,
    name: "settings of tables that only grow",
    sql: `
-- What is added is like what is there. At a tenth of growth PostgreSQL read 30,000 pages from all over each table for its
-- statistics, a third of what an entry costs more in a log of 3,000,000. And entries of two to four kilobytes, as of the
-- CT log, stay in one piece: to take them apart was 10 to 50 us of each. What is partitioned has no such settings of its
-- own: its parts have.
DO $$
DECLARE
  part record;
BEGIN
  FOR part IN
    SELECT oid::regclass AS name, relname ~ '^entry' AS has_entries FROM pg_class
    WHERE relnamespace = 'log'::regnamespace AND relkind = 'r'
      AND relname ~ '^(entry|identity|leaf_hash|search|tile)(_[0-9]+)?$'
  LOOP
    EXECUTE format('ALTER TABLE %s SET (autovacuum_analyze_scale_factor = 1)', part.name);
    IF part.has_entries THEN EXECUTE format('ALTER TABLE %s SET (toast_tuple_target = 4080)', part.name); END IF;
  END LOOP;
END $$;
`,
  },
  {
    number: 8,
    name: "how many entries are of before the search is written once",
    sql: `
-- Nothing is judged by what a search may miss: one row of a large size here, and no difference in a log was told any more.
-- The third step has written it; who may add to all tables adds nothing to this one.
CREATE TRIGGER written_once BEFORE INSERT ON log.search_gap
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
DO $$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS name
    FROM pg_class, aclexplode(relacl) WHERE oid = 'log.search_gap'::regclass AND privilege_type = 'INSERT'
  LOOP
    EXECUTE format('REVOKE INSERT ON log.search_gap FROM %s', granted.name);
  END LOOP;
END $$;
`,
  },
];

/** What a service may do with it. */
export const logSchema: Schema = {
  name: "log",
  migrations: logMigrations,
  updated: ["tree", "published"],
  sealed: ["search_gap"],
};

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
