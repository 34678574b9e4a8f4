export { rekorTreeHeadSigner, type RekorIdentity } from "./domain/tree-head-signer.ts";
export { certificateSearchKeys } from "./domain/search-key.ts";
export { type InactiveShard, RekorLog, type RekorLogLinks } from "./domain/rekor-log.ts";
export type { AdmissionRules, CallerRules, ClientCertificateRule, SignerRules } from "./domain/admission.ts";
export { type RekorConfig, type RekorLinks, RekorModule } from "./rekor.module.ts";
export { type Operation, parseOperations } from "./http/operations.ts";
export { parseEntryKinds, parseKeyAlgorithms, type WritePolicy } from "./domain/write-policy.ts";
export { rekorV2Origin, rekorV2TreeHeadSigner, type RekorV2Identity, v2LogId } from "./domain/v2/tree-head-signer.ts";
export { type RekorV2Config, RekorV2Module, type RekorV2Links } from "./rekor-v2.module.ts";
export { type DamagedStretches, describeDamage } from "./domain/search/damaged-entries.ts";
export type { Damage, VouchedTree } from "./domain/search/held-page.ts";
export { PublishedTree } from "./domain/search/published-tree.ts";
export {
  type IndexDifference,
  type IndexProgress,
  type IndexVerdict,
  type Rebuilt,
  rebuildIndex,
  verifyIndex,
} from "./domain/search/search-index.ts";
export { SearchModule, type SearchConfig, type SearchLinks } from "./search.module.ts";
