export type { ClientTrustConfig, SigningConfig, TrustedRoot } from "@sigstore/protobuf-specs";
export * from "./client-trust-config.ts";
export * from "./distinguished-name.ts";
export * from "./signing-config.ts";
export * from "./trusted-root.ts";
export * from "./validity.ts";
