export * from "./claim-path.ts";
export * from "./glob.ts";
export * from "./identity-token.ts";
export * from "./key-set.ts";
export * from "./token-signature.ts";
