export { separateAliasKeys } from "./config/document.ts";
export type { Audit, IssuanceEvent } from "./domain/audit.ts";
export type { AuthorityIdentity } from "./domain/certificate-authority.ts";
export { type ClientAlgorithm, parseClientAlgorithms } from "./domain/client-algorithm.ts";
export type { CtLog } from "./domain/ct-log.ts";
export type { IssuerSettings } from "./domain/issuer-settings.ts";
export { type FulcioConfig, parseFulcioConfig } from "./fulcio.config.ts";
export { type FulcioLinks, FulcioModule } from "./fulcio.module.ts";
