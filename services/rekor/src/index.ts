export { rekorTreeHeadSigner, type RekorIdentity } from "./domain/tree-head-signer.ts";
export { RekorLog } from "./domain/rekor-log.ts";
export type { AdmissionRules, CallerRules, ClientCertificateRule, SignerRules } from "./domain/admission.ts";
export { type RekorConfig, type RekorLinks, RekorModule } from "./rekor.module.ts";
export { type Operation, parseOperations } from "./http/operations.ts";
export { parseEntryKinds, parseKeyAlgorithms, type WritePolicy } from "./domain/write-policy.ts";
export { rekorV2Origin, rekorV2TreeHeadSigner, type RekorV2Identity, v2LogId } from "./domain/v2/tree-head-signer.ts";
export { type RekorV2Config, RekorV2Module, type RekorV2Links } from "./rekor-v2.module.ts";
export { SearchModule, type SearchConfig, type SearchLinks } from "./search.module.ts";
