export type { SigningConfig, TrustedRoot } from "@sigstore/protobuf-specs";
export * from "./client-trust-config.ts";
export * from "./signing-config.ts";
export {
  encodeTrustedRoot,
  trustedLogId,
  trustedRoot,
  type TrustedAuthority,
  type TrustedLog,
  type TrustedParties,
} from "./trusted-root.ts";
export * from "./validity.ts";
