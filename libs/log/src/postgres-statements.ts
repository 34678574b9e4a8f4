import type { Prepared } from "@chancery/postgres";

const prepared = (name: string, text: string): Prepared => ({ name: `log-${name}`, text });

/** Durability as this session has it. Replication waits are not needed for it, a local flush is. */
const VOLATILE = `concat_ws(', ',
  CASE WHEN current_setting('fsync') <> 'on' THEN 'fsync' END,
  CASE WHEN current_setting('full_page_writes') <> 'on' THEN 'full_page_writes' END,
  CASE WHEN current_setting('synchronous_commit') = 'off' THEN 'synchronous_commit' END)`;

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

/** After the lock: a statement of its own, so that its snapshot is taken with the lock held. */
export const TREE = prepared(
  "tree",
  `SELECT l.origin, l.key_id, t.size, t.root, t.edge, t.time, t.frozen,
     p.size AS published_size, p.root AS published_root, p.time AS published_time, ${VOLATILE} AS volatile
   FROM log.log l JOIN log.tree t ON t.log = l.id LEFT JOIN log.published p ON p.log = l.id
   WHERE l.id = $1`,
);

/**
 * Which of the identities are there. A scalar subquery each, and not a join: it cannot become a scan of the
 * whole table when the plan was made while that was small.
 */
export const KNOWN = prepared(
  "known",
  `SELECT ordinal, index FROM (
     SELECT ordinal, (SELECT i.index FROM log.identity i WHERE i.log = $1 AND i.hash = asked.hash) AS index
     FROM unnest($2::bytea[]) WITH ORDINALITY AS asked (hash, ordinal)) AS answer
   WHERE index IS NOT NULL`,
);

export const INSERT_ENTRIES = prepared(
  "insert-entries",
  `INSERT INTO log.entry (log, index, time, identity, leaf, extra)
   SELECT $1, $2::bigint + ordinal - 1, $3, nullif(identity, ''), leaf, nullif(extra, '')
   FROM unnest($4::bytea[], $5::bytea[], $6::bytea[]) WITH ORDINALITY AS added (leaf, identity, extra, ordinal)`,
);

/**
 * A digest of the leaf hashes, computed in the server from the leaves as they lie in its pages: a bit that flipped
 * on the way is found before anything is signed (Yeti 2022 died of one).
 */
export const READ_BACK_ENTRIES = prepared(
  "read-back-entries",
  `SELECT sha256(string_agg(sha256('\\x00'::bytea || leaf), ''::bytea ORDER BY index)) AS digest
   FROM log.entry WHERE log = $1 AND index >= $2`,
);

export const INSERT_IDENTITIES = prepared(
  "insert-identities",
  `INSERT INTO log.identity (log, index, hash)
   SELECT $1, $2::bigint + ordinal - 1, hash FROM unnest($3::bytea[]) WITH ORDINALITY AS added (hash, ordinal)`,
);

export const INSERT_LEAF_HASHES = prepared(
  "insert-leaf-hashes",
  `INSERT INTO log.leaf_hash (log, index, hash)
   SELECT $1, added.index, added.hash FROM unnest($2::bigint[], $3::bytea[]) AS added (index, hash)`,
);

export const INSERT_SEARCH_KEYS = prepared(
  "insert-search-keys",
  `INSERT INTO log.search_key (log, index, key)
   SELECT $1, added.index, added.key FROM unnest($2::bigint[], $3::bytea[]) AS added (index, key)`,
);

export const INSERT_TILES = prepared(
  "insert-tiles",
  `INSERT INTO log.tile (log, level, index, start, hashes)
   SELECT $1, added.level, added.index, added.start, added.hashes
   FROM unnest($2::int[], $3::bigint[], $4::int[], $5::bytea[]) AS added (level, index, start, hashes)`,
);

/** A digest of the rows just added to tiles, in the order they were given. */
export const READ_BACK_TILES = prepared(
  "read-back-tiles",
  `SELECT sha256(string_agg((
     SELECT t.hashes FROM log.tile t
     WHERE t.log = $1 AND t.level = added.level AND t.index = added.index AND t.start = added.start
   ), ''::bytea ORDER BY ordinal)) AS digest
   FROM unnest($2::int[], $3::bigint[], $4::int[]) WITH ORDINALITY AS added (level, index, start, ordinal)`,
);

export const ADVANCE_TREE = prepared(
  "advance",
  `UPDATE log.tree SET size = $4, root = $5, edge = $6, time = $7
   WHERE log = $1 AND size = $2 AND root = $3 AND NOT frozen RETURNING root, edge`,
);

/**
 * Committed without waiting for the disk. A power cut may take it back, and then the tree and the anchor, which
 * were both waited for, make it anew at the next start, before anything is served.
 */
export const PUBLISH = prepared(
  "publish",
  `INSERT INTO log.published (log, size, root, time, note)
   SELECT $1, $2, $3, $4, $5 FROM set_config('synchronous_commit', 'off', true)
   ON CONFLICT (log) DO UPDATE SET size = excluded.size, root = excluded.root, time = excluded.time, note = excluded.note
   WHERE (published.size, published.time) < (excluded.size, excluded.time) RETURNING size`,
);

export const PUBLISHED = prepared("published", "SELECT size, root, time, note FROM log.published WHERE log = $1");

export const FREEZE = prepared("freeze", "UPDATE log.tree SET frozen = true WHERE log = $1");

export const ENTRIES = prepared(
  "entries",
  `SELECT index, time, identity, leaf, extra FROM log.entry
   WHERE log = $1 AND index >= $2 AND index < $2::bigint + $3 ORDER BY index`,
);

export const ENTRIES_AT = prepared(
  "entries-at",
  "SELECT index, time, identity, leaf, extra FROM log.entry WHERE log = $1 AND index = ANY ($2::bigint[])",
);

export const TILES = prepared(
  "tiles",
  `SELECT ordinal, hashes FROM unnest($2::int[], $3::bigint[]) WITH ORDINALITY AS asked (level, index, ordinal)
   CROSS JOIN LATERAL (
     SELECT string_agg(t.hashes, ''::bytea ORDER BY t.start) AS hashes, sum(length(t.hashes)) AS bytes,
            max(t.start * 32 + length(t.hashes)) AS reach
     FROM log.tile t WHERE t.log = $1 AND t.level = asked.level AND t.index = asked.index) AS tile
   WHERE bytes = reach`,
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

export const SEARCH_ANY = prepared(
  "search-any",
  `SELECT DISTINCT found.index FROM unnest($2::bytea[]) AS asked (key)
   CROSS JOIN LATERAL (
     SELECT s.index FROM log.search_key s WHERE s.log = $1 AND s.key = asked.key AND s.index < $3
     ORDER BY s.index DESC LIMIT $4) AS found
   ORDER BY 1 DESC LIMIT $4`,
);

/** How many entries each key has, as far as it matters for choosing the rarest. */
export const COUNT_KEYS = prepared(
  "count-keys",
  `SELECT ordinal, (SELECT count(*) FROM (
       SELECT FROM log.search_key s WHERE s.log = $1 AND s.key = asked.key LIMIT 1000) AS counted) AS count
   FROM unnest($2::bytea[]) WITH ORDINALITY AS asked (key, ordinal) ORDER BY count`,
);

/** $2 is the rarest key, $3 the others: the cost is that of the rarest. */
export const SEARCH_ALL = prepared(
  "search-all",
  `SELECT s.index FROM log.search_key s
   WHERE s.log = $1 AND s.key = $2 AND s.index < $4
     AND NOT EXISTS (SELECT FROM unnest($3::bytea[]) AS other (key)
       WHERE NOT EXISTS (SELECT FROM log.search_key o WHERE o.log = $1 AND o.key = other.key AND o.index = s.index))
   ORDER BY s.index DESC LIMIT $5`,
);
