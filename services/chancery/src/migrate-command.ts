import { Misconfigured } from "@chancery/fault";
import { Database } from "@chancery/postgres";
import { parseFlags } from "./flags.ts";
import { describeDatabase, onOwnDatabase } from "./own-database.ts";
import { migrateAll } from "./service-database.ts";
import { type Environment, resolveSettings } from "./settings.ts";

const USAGE = `usage: chancery migrate [--role ROLE] [FLAGS]

For a PostgreSQL of your own: makes Chancery's tables, or brings them up to date, as the role that owns them, and lets
another role use them as \`chancery serve\` does: read and add, nothing else. That role can neither change nor delete what
was logged, nor switch off the triggers that refuse it. The program then never holds the owner's password:

  CREATE ROLE chancery_owner LOGIN PASSWORD '…';  CREATE ROLE chancery LOGIN PASSWORD '…';
  CREATE DATABASE chancery OWNER chancery_owner;

  chancery migrate --role chancery --database-url postgres://chancery_owner:…@db/chancery     before each new version
  chancery serve                   --database-url postgres://chancery:…@db/chancery

With \`chancery: { database-least-privilege: true }\` in its file, serve refuses a role that could do more.

  --role ROLE          an existing role, to be given use of the tables
  --database-url URL   as the tables' owner                           CHANCERY_DATABASE_URL
`;

const FLAGS = {
  role: { type: "string" },
  "database-url": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** `chancery migrate`: resolves with the exit code. */
export async function migrateCommand(
  argv: readonly string[],
  environment: Environment,
  out: (text: string) => void,
): Promise<number> {
  const flags = parseFlags(argv, FLAGS);
  if (flags.help === true) {
    out(USAGE);
    return 0;
  }
  if (flags.role === "") throw new Misconfigured("--role", "must not be empty");
  const { databaseUrl } = await resolveSettings({ "database-url": flags["database-url"] }, environment);
  if (databaseUrl === undefined) {
    throw new Misconfigured(
      "CHANCERY_DATABASE_URL",
      "must be said: the embedded database is brought up to date by serve",
    );
  }
  await using db = await onOwnDatabase(databaseUrl, Database.open(databaseUrl, { max: 1 }));
  await onOwnDatabase(databaseUrl, migrateAll(db, flags.role));
  out(
    `${describeDatabase(databaseUrl)}: tables are up to date${flags.role === undefined ? "" : `, for ${flags.role} to use`}\n`,
  );
  return 0;
}
