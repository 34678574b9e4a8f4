import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { findLogs } from "../src/public/served-log.ts";

const HOME = "https://drawn.example";
const { publicKey } = generateKeyPairSync("ed25519");
const rawBytes = publicKey.export({ type: "spki", format: "der" }).toString("base64");
const logAt = (baseUrl: string) => ({ baseUrl, publicKey: { rawBytes } });

/** The logs of an installation that answers so. */
const logsOf = (ctlogs: readonly object[], shards: readonly object[] = [{ treeID: "7" }]) =>
  findLogs(
    HOME,
    {},
    {
      fetch: async (url) => Response.json(url.endsWith("/shards") ? shards : { tlogs: [logAt(HOME)], ctlogs }),
    },
  );

test("a CT log is known by its path without the slashes around it", async () => {
  const { logs } = await logsOf([logAt(`${HOME}//ct/2026///`), logAt(`${HOME}/ct/2027`)]);
  expect(logs.map(({ name, identity }) => `${name}: ${identity.origin}`)).toEqual([
    "rekor: drawn.example - 7",
    "rekor-v2: drawn.example",
    "ct/2026: drawn.example//ct/2026",
    "ct/2027: drawn.example/ct/2027",
  ]);
});

// In time that grows with the square of the path's length it would take longer than a test may.
test("a CT log whose path is 200,000 slashes with a letter behind keeps no process busy", async () => {
  const { logs } = await logsOf([logAt(`${HOME}/${"/".repeat(200_000)}a`)]);
  expect(logs.at(-1)?.name).toBe("a");
}, 5_000);

test("a server that names more trees than a log has shards is no answer, and has none of them watched", async () => {
  const shards = Array.from({ length: 100 }, (_, at) => ({ treeID: String(at + 1) }));
  expect((await logsOf([], shards.slice(1))).logs).toHaveLength(100);
  const { logs, unanswered } = await logsOf([], shards);
  expect(logs.map(({ name }) => name)).toEqual(["rekor-v2"]);
  expect(String(unanswered)).toContain("/shards: names more than 99 trees");
});

test("a trusted root of more than one MiB is no answer", async () => {
  const ctlogs = Array.from({ length: 10_000 }, (_, at) => logAt(`${HOME}/${at}`));
  await expect(logsOf(ctlogs)).rejects.toThrow("/trust/trusted_root.json: is larger than 1048576 bytes");
});
