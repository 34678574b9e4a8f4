#!/usr/bin/env node
import { run } from "./command-line.ts";

// A closed terminal takes no more lines; that is no reason not to end in order.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

// PostgreSQL and every other child is given what is left, and shows it to its owner's other programs.
const environment = { ...process.env };
for (const name of ["CHANCERY_CA_PASSPHRASE", "CHANCERY_ROOT_PASSPHRASE"]) delete process.env[name];

process.exitCode = await run(process.argv.slice(2), environment, {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
