import { Fault } from "@chancery/fault";
import type { KeyUse } from "@chancery/fulcio";
import type { TransparencyLog } from "@chancery/log";
import { certificateSearchKeys } from "@chancery/rekor";

/** Look-ups under way: an auditor's page asks two hundred, and a signer waits behind none of them for long. */
const AT_ONCE = 4;

/** What the signature logs know of the keys that the authority certified. */
export function keyUseIn(logs: readonly Pick<TransparencyLog, "lookup">[]): KeyUse {
  return {
    inLog: async (certificates) => {
      const used: boolean[] = [];
      for (let at = 0; at < certificates.length; at += AT_ONCE) {
        const asked = certificates.slice(at, at + AT_ONCE);
        used.push(...(await Promise.all(asked.map(({ certificate }) => isLogged(logs, certificate)))));
      }
      return used;
    },
  };
}

async function isLogged(logs: readonly Pick<TransparencyLog, "lookup">[], certificate: Uint8Array): Promise<boolean> {
  const keys = keysOf(certificate);
  if (keys === undefined) return false;
  const found = await Promise.all(logs.map((log) => log.lookup.search(keys, "or", 1)));
  return found.some((indexes) => indexes.length > 0);
}

/** Of one that was damaged where it is kept nobody can say that it was used, and an auditor is to see it. */
function keysOf(certificate: Uint8Array) {
  try {
    return certificateSearchKeys(certificate);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return undefined;
  }
}
