import { Database, startEmbedded } from "../src/index.ts";

/**
 * A process that owns an embedded server, to be killed in all the ways a process can be. Says `ready <url>`,
 * answers each SIGINT with `alive`, and runs until then.
 */
const [directory = ""] = process.argv.slice(2);
const server = await startEmbedded({ directory });
const db = await Database.open(server.url);
await db.query("CREATE TABLE IF NOT EXISTS starts (at timestamptz)");
await db.query("INSERT INTO starts VALUES (now())");
process.on("SIGINT", () => {
  void db.query("SELECT 1").then(() => console.log("alive"));
});
process.on("SIGTERM", () => {
  void db.close().then(() => server.stop());
});
console.log(`ready ${server.url}`);
