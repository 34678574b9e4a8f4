import type { Queryable } from "./queryable.ts";
import type { Migration } from "./migrate.ts";

/** A part of a database: its tables stand in the PostgreSQL schema of its name. */
export interface Schema {
  readonly name: string;
  readonly migrations: readonly Migration[];
  /** Tables whose rows the program changes. To all others it only adds. */
  readonly updated: readonly string[];
  /** Tables that a migration has written, and the program only reads. */
  readonly sealed?: readonly string[];
}

/**
 * Lets a role use these schemas as the program does and no further: read, add, change what it has to change. It owns
 * nothing, so that it can neither switch a trigger off nor give itself a right. By the tables' owner; any number of times.
 */
export async function grantUse(owner: Queryable, schemas: readonly Schema[], role: string): Promise<void> {
  const to = `TO ${quoted(role)}`;
  await owner.query(`GRANT SELECT ON chancery_schema ${to}`);
  for (const { name, updated, sealed = [] } of schemas) {
    await owner.query(`GRANT USAGE ON SCHEMA ${name} ${to}`);
    await owner.query(`GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA ${name} ${to}`);
    await owner.query(`GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${name} ${to}`);
    // PUBLIC may execute any function, unless an owner's default privileges say otherwise.
    await owner.query(`GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${name} ${to}`);
    for (const table of updated) await owner.query(`GRANT UPDATE ON ${name}.${table} ${to}`);
    for (const table of sealed) await owner.query(`REVOKE INSERT ON ${name}.${table} FROM ${quoted(role)}`);
  }
}

/**
 * What the role of this connection could do with these schemas that the program never does; empty where it is what
 * `grantUse` made it. A member of an owner can become the owner, so it counts as one.
 */
export async function rightsBeyondUse(db: Queryable, schemas: readonly Schema[]): Promise<string[]> {
  const [role] = await db.query<{ is_super: boolean; owns: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_roles s WHERE s.rolsuper AND pg_has_role(s.oid, 'MEMBER')) AS is_super,
       (SELECT pg_has_role(datdba, 'MEMBER') FROM pg_database WHERE datname = current_database()) AS owns`,
  );
  if (role?.is_super === true) return ["is a superuser, or may become one"];
  const owned = await db.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace n WHERE nspname = ANY ($1) AND (pg_has_role(nspowner, 'MEMBER')
       OR EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND pg_has_role(relowner, 'MEMBER'))
       OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid AND pg_has_role(proowner, 'MEMBER')))
     ORDER BY 1`,
    [schemas.map(({ name }) => name)],
  );
  const rights = await db.query<{ name: string; rights: string }>(
    `SELECT nspname || '.' || relname AS name, string_agg("right", ', ' ORDER BY "right") AS rights
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace,
       unnest(ARRAY['DELETE', 'INSERT', 'TRIGGER', 'TRUNCATE', 'UPDATE']) AS asked ("right")
     WHERE nspname = ANY ($1) AND relkind IN ('r', 'p') AND CASE
         WHEN "right" IN ('INSERT', 'UPDATE') THEN has_any_column_privilege(c.oid, "right")
         ELSE has_table_privilege(c.oid, "right") END
       AND NOT ("right" = 'UPDATE' AND nspname || '.' || relname = ANY ($2))
       AND ("right" <> 'INSERT' OR nspname || '.' || relname = ANY ($3))
     GROUP BY 1 ORDER BY 1`,
    [
      schemas.map(({ name }) => name),
      schemas.flatMap(({ name, updated }) => updated.map((table) => `${name}.${table}`)),
      schemas.flatMap(({ name, sealed = [] }) => sealed.map((table) => `${name}.${table}`)),
    ],
  );
  return [
    ...(role?.owns === true ? ["owns the database"] : []),
    ...owned.map(({ name }) => `owns tables of ${name}, and so can drop their triggers`),
    ...rights.filter(({ name }) => !owned.some((schema) => name.startsWith(`${schema.name}.`))).map(toldRight),
  ];
}

function toldRight({ name, rights }: { readonly name: string; readonly rights: string }): string {
  return `has ${rights} on ${name}`;
}

/** An identifier as SQL quotes it. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
