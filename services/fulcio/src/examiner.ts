import { CurrentIssuers } from "./domain/current-issuers.ts";
import type { Examiner } from "./domain/examination.ts";
import { IssuerKeys } from "./domain/issuer-keys.ts";
import type { FulcioConfig } from "./fulcio.config.ts";
import { issuerDocuments } from "./oidc/bounded-fetch.ts";

const A_DAY = 24 * 60 * 60;

/** What a configuration means for tokens. Misconfigured unless every issuer can do its work. */
export function createExaminer(
  config: FulcioConfig,
  { clock, warn }: { readonly clock?: () => number; readonly warn?: (text: string) => void } = {},
): Examiner & { readonly pool: CurrentIssuers } {
  const mayUseLoopbackHttp = config.allowLoopbackHttp === true;
  // Ages are measured by a clock that nobody sets.
  const keys = new IssuerKeys(issuerDocuments(), clock ?? (() => performance.now()), mayUseLoopbackHttp, warn);
  return {
    pool: new CurrentIssuers(config.issuers, keys, warn, config.onceFederated),
    keys,
    longestTokenLife: config.longestTokenLife ?? A_DAY,
    clock: clock ?? Date.now,
  };
}
