export * from "./chancery-process.ts";
export * from "./client-home.ts";
export * from "./copy-installation.ts";
export * from "./fake-issuer.ts";
export * from "./oci-registry.ts";
export * from "./outbound-proxy.ts";
export * from "./real-clients.ts";
export * from "./schema-complaints.ts";
