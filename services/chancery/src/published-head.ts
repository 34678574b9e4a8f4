import { Misconfigured, Unverified } from "@chancery/fault";
import type { LogReader } from "@chancery/log";
import { EMPTY_ROOT, type TreeHead } from "@chancery/tlog";
import { publicKeyIn, verifyExportedHead } from "./export/log-keys.ts";
import type { ReadInstallation } from "./installation-file.ts";
import type { LogName } from "./log-names.ts";
import { logOrigin } from "./log-origins.ts";

/**
 * The tree that a log has published, as its own key signed it: who changes an entry in the database writes there what root he
 * likes. Of a database without an installation nobody knows the key, and it is the database's own word.
 */
export async function publishedHead(
  reader: Pick<LogReader, "published">,
  log: LogName,
  data: string,
  installation: ReadInstallation | undefined,
): Promise<TreeHead> {
  const published = await reader.published();
  if (published === undefined) return { size: 0n, root: EMPTY_ROOT };
  if (installation === undefined) return published.head;
  const key = await publicKeyIn(data, log);
  const checkpoint = new TextDecoder().decode(published.note);
  try {
    return verifyExportedHead({ log, origin: logOrigin(installation, log), checkpoint }, key);
  } catch (cause) {
    if (!(cause instanceof Unverified)) throw cause;
    const what = `what stands in log.published of ${log} is not signed by the key in it`;
    throw new Misconfigured(
      "--data",
      `${what}: another installation's database is meant, or that row was changed (README, "When something is wrong")`,
      { cause },
    );
  }
}
