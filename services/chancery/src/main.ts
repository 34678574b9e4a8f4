#!/usr/bin/env node
import { run } from "./command-line.ts";

// A closed terminal takes no more lines; that is no reason not to end in order.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

process.exitCode = await run(process.argv.slice(2), process.env, {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
