import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { Misconfigured } from "@chancery/fault";

/** A command's flags. Of what Node says of a wrong one only the first sentence is told: the others advise on positionals. */
export function parseFlags<Options extends ParseArgsOptionsConfig>(argv: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new Misconfigured("command line", (error instanceof Error ? error.message : "").split(". ", 1)[0] ?? "");
  }
}
