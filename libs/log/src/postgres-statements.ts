import type { Prepared } from "@chancery/postgres";
import { MOST_READ_BYTES } from "./store.ts";

const prepared = (name: string, text: string): Prepared => ({ name: `log-${name}`, text });

/** Durability as this session has it. Replication waits are not needed for it, a local flush is. */
const VOLATILE = `concat_ws(', ',
  CASE WHEN current_setting('fsync') <> 'on' THEN 'fsync off' END,
  CASE WHEN current_setting('full_page_writes') <> 'on' THEN 'full_page_writes off' END,
  CASE WHEN current_setting('synchronous_commit') = 'off' THEN 'synchronous_commit off' END,
  CASE WHEN current_setting('data_sync_retry') = 'on' THEN 'data_sync_retry on' END)`;

export const FIND_LOG = prepared("find", "SELECT id FROM log.log WHERE name = $1");

export const CREATE_LOG = prepared(
  "create",
  `INSERT INTO log.log (name, origin, key_id) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING RETURNING id`,
);

export const CREATE_TREE = prepared(
  "create-tree",
  "INSERT INTO log.tree (log, size, time, root, edge) VALUES ($1, 0, $2, $3, '')",
);

export const LOCK_TREE = prepared("lock", "SELECT FROM log.tree WHERE log = $1 FOR UPDATE");

const STATE = `l.origin, l.key_id, t.size, t.root, t.edge, t.time, t.frozen,
     p.size AS published_size, p.root AS published_root, p.time AS published_time, ${VOLATILE} AS volatile`;
const LOG_AND_TREE = "log.log l JOIN log.tree t ON t.log = l.id LEFT JOIN log.published p ON p.log = l.id";

export const TREE = prepared("tree", `SELECT ${STATE} FROM ${LOG_AND_TREE} WHERE l.id = $1`);

/**
 * Which of the identities are there. A scalar subquery for each, and not a join: it cannot become a scan of the
 * whole table when the plan was made while that was small.
 */
const KNOWN_IDENTITIES = `SELECT array_agg(ordinal) AS ordinals, array_agg(index) AS indexes FROM (
       SELECT ordinal, (SELECT i.index FROM log.identity i WHERE i.log = $1 AND i.hash = asked.hash) AS index
       FROM unnest($2::bytea[]) WITH ORDINALITY AS asked (hash, ordinal)) AS answer
     WHERE index IS NOT NULL`;

export const KNOWN = prepared("known", KNOWN_IDENTITIES);

/**
 * From here on, and not while the lock is waited for, the transaction has 7 s: a process that stops while it sends its
 * batch is neither idle nor in a statement, and PostgreSQL before 17, which knows no such limit, would keep the lock for it.
 */
const LIMIT_LOCK = `CASE WHEN current_setting('server_version_num')::int >= 170000
       THEN set_config('transaction_timeout', '7s', true) END`;

/** After the lock: a statement of its own, so that its snapshot is taken with the lock held. */
export const TREE_AND_KNOWN = prepared(
  "tree-and-known",
  `SELECT ${STATE}, known.ordinals, known.indexes, ${LIMIT_LOCK} AS lock_limit
   FROM ${LOG_AND_TREE}, (${KNOWN_IDENTITIES}) AS known WHERE l.id = $1`,
);

/**
 * A whole batch, stored and in the tree. One statement: for one entry, what eight cost apart was most of its CPU.
 * $2 and $3 are what the tree is expected to be; where it is something else it stays that, and reading back fails.
 *
 * Two identities may have one leaf (a precertificate and its twin whose ECDSA signature has n - s for s, which
 * anyone can make): the leaf hash then finds one of them, and nobody else's entry fails for it.
 */
export const STORE = prepared(
  "store",
  `WITH entries AS (
     INSERT INTO log.entry (log, index, time, identity, leaf, extra)
     SELECT $1, $2::bigint + ordinal - 1, $7, nullif(identity, ''), leaf, nullif(extra, '')
     FROM unnest($8::bytea[], $9::bytea[], $10::bytea[]) WITH ORDINALITY AS added (leaf, identity, extra, ordinal)),
   identities AS (
     INSERT INTO log.identity (log, index, hash)
     SELECT $1, $2::bigint + ordinal - 1, hash FROM unnest($11::bytea[]) WITH ORDINALITY AS added (hash, ordinal)),
   leaf_hashes AS (
     INSERT INTO log.leaf_hash (log, index, hash)
     SELECT $1, added.index, added.hash FROM unnest($12::bigint[], $13::bytea[]) AS added (index, hash)
     ON CONFLICT DO NOTHING),
   search AS (
     INSERT INTO log.search (place, key0, key1, key2, term0, term1, term2, term3)
     SELECT * FROM unnest($14::bigint[], $15::uuid[], $16::uuid[], $17::uuid[],
       $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[])),
   names AS (
     INSERT INTO log.name (log, name, key)
     SELECT $1, added.name, added.key FROM unnest($22::text[], $23::uuid[]) AS added (name, key)
     ON CONFLICT DO NOTHING),
   tiles AS (
     INSERT INTO log.tile (log, level, index, start, hashes)
     SELECT $1, added.level, added.index, added.start, added.hashes
     FROM unnest($24::int[], $25::bigint[], $26::int[], $27::bytea[]) AS added (level, index, start, hashes))
   UPDATE log.tree SET size = $4, root = $5, edge = $6, time = $7
   WHERE log = $1 AND size = $2 AND root = $3 AND NOT frozen`,
);

/**
 * What a batch wrote, as it lies in the server's pages: a digest of the leaves, computed there from what is stored; one
 * of the rows added to tiles, in the order they were given; root and edge. A bit that flipped on the way is
 * found before anything is signed (Yeti 2022 died of one). It fails, and with it the transaction, unless they are $6 to $8.
 * $9 is the size of the tree.
 */
export const READ_BACK = prepared(
  "read-back",
  `SELECT
     log.expect_stored('entries', (
       SELECT sha256(string_agg(int4send(length(leaf)) || leaf, ''::bytea ORDER BY index))
       FROM log.entry WHERE log = $1 AND index >= $2 AND index < $9), $6) AS entries,
     log.expect_stored('tiles', (
       SELECT sha256(string_agg((
           SELECT t.hashes FROM log.tile t
           WHERE t.log = $1 AND t.level = added.level AND t.index = added.index AND t.start = added.start
         ), ''::bytea ORDER BY ordinal))
       FROM unnest($3::int[], $4::bigint[], $5::int[]) WITH ORDINALITY AS added (level, index, start, ordinal)), $7) AS tiles,
     log.expect_stored('tree', (SELECT root || edge FROM log.tree WHERE log = $1), $8) AS tree`,
);

/** SQLSTATE of `log.expect_stored`. */
export const STORED_OTHER = "LG001";
/** SQLSTATE unique_violation: under the lock, of a row that no batch wrote. */
export const THERE_ALREADY = "23505";

/**
 * Committed without waiting for the disk, which would be a third of the time of a small batch. A crash of PostgreSQL
 * may take it back, though it was acknowledged; tree and anchor, which were both waited for, make it anew: at a start,
 * where a process knows a newer one than it reads, and before anything is said not to be there.
 */
export const PUBLISH = prepared(
  "publish",
  `INSERT INTO log.published (log, size, root, time, note)
   SELECT $1, $2, $3, $4, $5 FROM set_config('synchronous_commit', 'off', true)
   ON CONFLICT (log) DO UPDATE SET size = excluded.size, root = excluded.root, time = excluded.time, note = excluded.note
   WHERE published.size < excluded.size RETURNING size`,
);

/**
 * The same tree signed again. Under the log's lock, which freezing it takes, too: what is frozen when this begins, or
 * while it waits, keeps its last checkpoint.
 */
export const RENEW = prepared(
  "renew",
  `WITH tree AS (SELECT frozen FROM log.tree WHERE log = $1 FOR UPDATE)
   UPDATE log.published SET time = $4, note = $5 FROM tree
   WHERE log = $1 AND size = $2 AND root = $3 AND time < $4 AND NOT frozen RETURNING size`,
);

export const PUBLISHED = prepared("published", "SELECT size, root, time, note FROM log.published WHERE log = $1");

export const FREEZE = prepared("freeze", "UPDATE log.tree SET frozen = true WHERE log = $1");

/**
 * Packed by 16, in the form of `unpackEntries`: as rows of their own each costs more to take apart than its leaf costs
 * to hash. Where they end is decided by lengths, which are read without the bytes: 256 entries with 100 KiB beside each
 * took 170 ms of the server, and 50 MiB on the way; their first 4 MiB take 20.
 */
export const ENTRIES = prepared(
  "entries",
  `SELECT string_agg(int8send(index) || int8send(time) || int4send(coalesce(length(identity), 0)) || coalesce(identity, '')
       || int4send(length(leaf)) || leaf || int4send(coalesce(length(extra), 0)) || coalesce(extra, ''),
     ''::bytea ORDER BY index) AS rows
   FROM (
     SELECT *, sum(length(leaf) + coalesce(length(extra), 0)) OVER (ORDER BY index ROWS UNBOUNDED PRECEDING) AS bytes
     FROM log.entry WHERE log = $1 AND index >= $2 AND index < $3) AS asked
   WHERE bytes <= ${MOST_READ_BYTES} OR index = $2 GROUP BY (index - $2) / 16 ORDER BY (index - $2) / 16`,
);

/** The same with nothing beside the leaves. What the server puts together at once is to stay in its caches. */
export const LEAVES = prepared(
  "leaves",
  `SELECT packed.rows FROM generate_series($2::bigint, $3::bigint - 1, 16) AS run (first)
   CROSS JOIN LATERAL (
     SELECT string_agg(int8send(index) || int8send(time) || int4send(0) || int4send(length(leaf)) || leaf || int4send(0),
       ''::bytea ORDER BY index) AS rows
     FROM log.entry WHERE log = $1 AND index >= run.first AND index < run.first + 16 AND index < $3) AS packed
   WHERE rows IS NOT NULL ORDER BY run.first`,
);

/** As many bytes beside each of the 32 entries that are read together are MOST_READ_BYTES. */
const MOST_BESIDE_BYTES = MOST_READ_BYTES / 32;

/**
 * Entries by their indexes ($2), without what is kept beside those that have much there, and of tiles the hashes from $5 to before $6: a proof goes with its entry, and as one
 * statement the two cost two thirds. Of long rows only these hashes are read (they are stored plain), of short ones only
 * the rows that have some. Where one is missing before the last there is, there is no answer.
 */
export const READ = prepared(
  "read",
  `SELECT NULL::bigint AS ordinal, NULL::bytea AS hashes, index, time, identity, leaf,
     CASE WHEN length(extra) <= ${MOST_BESIDE_BYTES} THEN extra END AS extra,
     coalesce(length(extra) > ${MOST_BESIDE_BYTES}, false) AS large
   FROM log.entry WHERE log = $1 AND index = ANY ($2::bigint[])
   UNION ALL
   SELECT ordinal, hashes, NULL, NULL, NULL, NULL, NULL, NULL
   FROM unnest($3::int[], $4::bigint[], $5::int[], $6::int[]) WITH ORDINALITY AS asked (level, index, first, beyond, ordinal)
   CROSS JOIN LATERAL (
     SELECT string_agg(substr(hashes, (begins - start) * 32 + 1, greatest(ends - begins, 0) * 32), ''::bytea ORDER BY start)
              AS hashes, (max(ends) - asked.first) * 32 AS bytes
     FROM (
       SELECT start, hashes, greatest(start, asked.first) AS begins, least(start + length(hashes) / 32, asked.beyond) AS ends
       FROM log.tile WHERE log = $1 AND level = asked.level AND index = asked.index AND start < asked.beyond AND start >= (
         SELECT max(start) FROM log.tile
         WHERE log = $1 AND level = asked.level AND index = asked.index AND start <= asked.first)) AS rows) AS tile
   WHERE length(hashes) = bytes`,
);

/** An entry with all that is kept beside it, which may be 10 MiB. */
export const READ_ALONE = prepared(
  "read-alone",
  "SELECT index, time, identity, leaf, extra FROM log.entry WHERE log = $1 AND index = $2",
);

export const FIND_IDENTITY = prepared("find-identity", "SELECT index FROM log.identity WHERE log = $1 AND hash = $2");

/** An identity that is also the leaf hash stands only among the identities; any other entry has its leaf hash apart. */
export const FIND_LEAF_HASH = prepared(
  "find-leaf-hash",
  `SELECT index FROM log.leaf_hash WHERE log = $1 AND hash = $2
   UNION ALL
   SELECT i.index FROM log.identity i WHERE i.log = $1 AND i.hash = $2
     AND (SELECT e.identity IS NULL FROM log.entry e WHERE e.log = $1 AND e.index = i.index)
   LIMIT 1`,
);

/**
 * Times never decrease along a log: the first entry that is not older than each of $2 is found by halving, in as many
 * steps as the size has bits. For an entry that is missing the next one that is there is asked; what is missing between
 * the last that is older and the first that is not may be either.
 */
export const SIZES_AT = prepared(
  "sizes-at",
  `SELECT halved.least, coalesce(
     (SELECT e.index FROM log.entry e WHERE e.log = $1 AND e.index >= halved.least AND e.index < $3 ORDER BY e.index LIMIT 1),
     $3::bigint) AS most
   FROM unnest($2::bigint[]) WITH ORDINALITY AS asked (time, ordinal)
   CROSS JOIN LATERAL (
     WITH RECURSIVE halving (low, high) AS (
       SELECT 0::bigint, $3::bigint
       UNION ALL
       SELECT CASE WHEN there.older THEN there.index + 1 ELSE low END, CASE WHEN there.older THEN high ELSE middle END
       FROM (SELECT low, high, (low + high) / 2 AS middle FROM halving WHERE low < high) AS half
       LEFT JOIN LATERAL (
         SELECT e.index, e.time < asked.time AS older FROM log.entry e
         WHERE e.log = $1 AND e.index >= half.middle AND e.index < half.high ORDER BY e.index LIMIT 1) AS there ON true)
     SELECT low AS least FROM halving WHERE low = high) AS halved
   ORDER BY ordinal`,
);

/** Keys of names that begin with $2, by name; where it ends, no name does that begins with it. */
export const NAMES = prepared(
  "names",
  // A name has 512 bytes at most: none that begins so comes after so many of the last character.
  `SELECT uuid_send(n.key) AS key FROM log.name n
   WHERE n.log = $1 AND n.name >= $2 AND n.name <= $2 || repeat(chr(1114111), 128) ORDER BY n.log, n.name, n.key LIMIT $3`,
);

/** Of what is kept beside entries no more than the first $3 bytes. */
export const ENTRIES_IN_PART = prepared(
  "entries-in-part",
  `SELECT index, time, identity, leaf, substr(extra, 1, $3) AS extra, coalesce(length(extra), 0) AS length
   FROM log.entry WHERE log = $1 AND index = ANY ($2::bigint[])`,
);

export const SEARCH_STATE = prepared(
  "search-state",
  `SELECT g.size AS gap, (SELECT r.size FROM log.search_rebuilt r WHERE r.log = $1 ORDER BY r.size DESC LIMIT 1) AS rebuilt
   FROM log.search_gap g WHERE g.log = $1`,
);
