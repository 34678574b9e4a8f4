// What `chancery serve` may be told, known before there is a program: a misspelt flag is refused now, and not after an
// install of minutes. src/serve-flags.ts says it to the program; a test holds the two against each other.

import { parseArgs } from "node:util";

const text = { type: "string" };

export const SERVE_FLAGS = {
  host: text,
  port: text,
  url: text,
  data: text,
  anchor: text,
  config: text,
  "database-url": text,
  "grpc-port": text,
  "ca-key": text,
  "ca-chain": text,
  "ca-passphrase-file": text,
  auditor: text,
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
};

/** What the program would say of these arguments by their names alone; undefined where it has to be asked. */
export function wrongArgument(args) {
  try {
    const [extra] = parseArgs({ args, options: SERVE_FLAGS, allowPositionals: true }).positionals;
    if (extra === undefined) return undefined;
    return `${extra}: is one word too many; flags go after \`--\`: npm start -- --port 9000`;
  } catch (error) {
    // Its second sentence explains how to pass something that looks like a flag.
    return `command line: ${error.message.split(". ", 1)[0]}`;
  }
}
