import { NotFound } from "@chancery/fault";
import { parseEntryBundlePath, parseTilePath } from "@chancery/tlog";
import type { TransparencyLog } from "./transparency-log.ts";

/**
 * What stands below a log's URL at `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`: only what the published tree
 * implies, and of each width its own resource. c2sp.org/tlog-tiles.
 *
 * @throws Malformed for a path that names nothing, NotFound for one that no published tree has
 */
export async function tileResource(
  log: Pick<TransparencyLog, "tile" | "entryBundle">,
  path: string,
): Promise<Uint8Array> {
  if (path.startsWith("tile/entries/")) {
    const { index, width } = parseEntryBundlePath(path);
    return (await log.entryBundle(index, width)) ?? notThere("entry bundle");
  }
  const { level, index, width } = parseTilePath(path);
  return (await log.tile(level, index, width)) ?? notThere("tile");
}

function notThere(what: string): never {
  throw new NotFound(`${what}: does not exist in the published tree`);
}
