export { rekorTreeHeadSigner, type RekorIdentity } from "./domain/tree-head-signer.ts";
export { RekorLog } from "./domain/rekor-log.ts";
export { type RekorConfig, type RekorLinks, RekorModule } from "./rekor.module.ts";
export type { Operation } from "./http/operations.ts";
