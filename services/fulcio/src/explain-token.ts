import { type Explanation, explainIssuance } from "./domain/issuance-explanation.ts";
import { createExaminer } from "./examiner.ts";
import type { FulcioConfig } from "./fulcio.config.ts";

/** What would become of a token under a configuration; see {@link explainIssuance}. `offline` asks no issuer for keys. */
export async function explainToken(
  compact: string,
  config: FulcioConfig,
  options: { readonly offline: boolean; readonly clock?: () => number },
): Promise<Explanation> {
  return explainIssuance(compact, createExaminer(config, options), options);
}
