export * from "./caller.ts";
export * from "./claim-path.ts";
export * from "./glob.ts";
export * from "./identity-token.ts";
export * from "./key-set.ts";
export * from "./token-keys.ts";
export * from "./token-rule.ts";
export * from "./token-signature.ts";
