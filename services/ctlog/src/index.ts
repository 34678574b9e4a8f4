export { CtLogModule, type CtLogConfig, type CtLogLinks } from "./ctlog.module.ts";
export {
  CertificateTransparencyLog,
  type CertificateTransparencyLogOptions,
} from "./domain/certificate-transparency-log.ts";
export { ctTreeHeadSigner, type CtTreeHeadSignerOptions } from "./domain/tree-head-signer.ts";
