import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { ledgerSchema } from "@chancery/fulcio";
import { logSchema } from "@chancery/log";
import { Database, grantUse, migrate, quoted, rightsBeyondUse, type Schema, startEmbedded } from "@chancery/postgres";
import type { Logger } from "@chancery/service";
import { describeDatabase, onOwnDatabase } from "./own-database.ts";
import type { Settings } from "./settings.ts";

/** All that Chancery keeps in a database. */
const SCHEMAS: readonly Schema[] = [logSchema, ledgerSchema];

/** In the embedded server; what owns its tables is used for nothing but to make them. */
const SERVICE_ROLE = "chancery_service";

/**
 * The database as the services use it, its tables up to date. In the embedded server their role owns nothing and can
 * change nothing that was logged; of one's own database the operator decides, and is told what the role could do.
 */
export async function openServiceDatabase(
  { data, databaseUrl, databaseLeastPrivilege }: Settings,
  opened: AsyncDisposableStack,
  { logger, progress }: { readonly logger: Logger; readonly progress: (text: string) => void },
): Promise<Database> {
  if (databaseUrl === undefined) {
    const warn = (text: string) => logger.child({ from: "database" }).warn(text);
    const server = opened.use(await startEmbedded({ directory: join(data, "postgres"), progress, warn }));
    return opened.use(await Database.open(await asServiceRole(server.url)));
  }
  const db = opened.use(await onOwnDatabase(databaseUrl, Database.open(databaseUrl)));
  await onOwnDatabase(databaseUrl, migrateAll(db));
  const beyond = await rightsBeyondUse(db, SCHEMAS);
  if (beyond.length === 0) return db;
  const told = `the role for ${describeDatabase(databaseUrl)} ${beyond.join("; ")}`;
  if (databaseLeastPrivilege) throw new Misconfigured("chancery.database-least-privilege", told);
  logger.warn(`${told}. Not needed: see chancery migrate --help`);
  return db;
}

/** Makes and brings up to date all tables; `role` is then what a service needs to be. */
export async function migrateAll(owner: Database, role?: string): Promise<void> {
  for (const { name, migrations } of SCHEMAS) await migrate(owner, name, migrations);
  if (role !== undefined) await grantUse(owner, SCHEMAS, role);
}

/** With a password of this start: nobody else is to connect as it. */
async function asServiceRole(ownerUrl: string): Promise<string> {
  await using owner = await Database.open(ownerUrl, { max: 1 });
  const password = randomBytes(24).toString("base64url");
  const known = await owner.query("SELECT FROM pg_roles WHERE rolname = $1", [SERVICE_ROLE]);
  const verb = known.length === 0 ? "CREATE" : "ALTER";
  await owner.query(`${verb} ROLE ${quoted(SERVICE_ROLE)} LOGIN PASSWORD '${password}'`);
  await migrateAll(owner, SERVICE_ROLE);
  return ownerUrl.replace(/\/\/[^@]*@/, `//${SERVICE_ROLE}:${password}@`);
}
