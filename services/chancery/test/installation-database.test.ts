import { expect, test } from "vitest";
import { openInstallationDatabase } from "../src/installation-database.ts";

test.for([
  ["postgres://user:secret@127.0.0.1:1/name", "the database at 127.0.0.1:1/name"],
  ["postgres://user:sec@secret@127.0.0.1:1/name", "the database at 127.0.0.1:1/name"],
  ["postgres://127.0.0.1:1/name?password=secret", "the database at 127.0.0.1:1/name"],
  ["postgres://user:secret@/name?host=%2Fnowhere", "the database at /nowhere/name"],
  ["postgres://user:p?secret@127.0.0.1:1/name", "the database that it was told"],
  ["postgres://127.0.0.1:1/name?user=a@b&password=secret", "the database that it was told"],
  ["postgres://[::1]:1/name", "the database at [::1]:1/name"],
  ["postgres://user:secret@%2Fnowhere%2Fat.all/name", "the database at /nowhere/at.all/name"],
  ["host=127.0.0.1 port=1 password=secret dbname=name", "the database that it was told"],
  ["postgres://user:secret%40127.0.0.1/name", "the database that it was told"],
  ["postgres://user:secret/name", "the database that it was told"],
  ["postgres://secret", "the database that it was told"],
])("a command that is told %s says what it reads, and no password", async ([url, named]) => {
  const told: string[] = [];
  await using opened = new AsyncDisposableStack();
  await openInstallationDatabase("/nowhere", url, opened, (text) => told.push(text)).catch(() => {});
  expect(told).toEqual([`chancery: reads ${named}\n`]);
});
