export { rekorTreeHeadSigner, type RekorIdentity } from "./domain/tree-head-signer.ts";
export { certificateSearchKeys } from "./domain/search-key.ts";
export { RekorLog } from "./domain/rekor-log.ts";
export type { AdmissionRules, CallerRules, ClientCertificateRule, SignerRules } from "./domain/admission.ts";
export { type RekorConfig, type RekorLinks, RekorModule } from "./rekor.module.ts";
export { type Operation, parseOperations } from "./http/operations.ts";
export { parseEntryKinds, parseKeyAlgorithms, type WritePolicy } from "./domain/write-policy.ts";
export { rekorV2Origin, rekorV2TreeHeadSigner, type RekorV2Identity, v2LogId } from "./domain/v2/tree-head-signer.ts";
export { type RekorV2Config, RekorV2Module, type RekorV2Links } from "./rekor-v2.module.ts";
export { type IndexDifference, type IndexProgress, rebuildIndex, verifyIndex } from "./domain/search/search-index.ts";
export { SearchModule, type SearchConfig, type SearchLinks } from "./search.module.ts";
// What an export of entries has of the search: its filters, what it finds and how it tells it.
export { FILTER_NAMES } from "./domain/search/condition.ts";
export { describe as describeLogged, meetsAll } from "./domain/search/log-search.ts";
export type { Search } from "./domain/search/log-search.ts";
export { namedLog, type NamedLog } from "./domain/search/searched-log.ts";
export { encodeFoundEntry } from "./http/search/entry-json.ts";
export { readSearch } from "./http/search/search-parameters.ts";
