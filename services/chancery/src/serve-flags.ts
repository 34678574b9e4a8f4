/** What `chancery serve` may be told. The launcher knows the same before there is a program: launch/serve-flags.mjs. */
export const SERVE_FLAGS = {
  host: { type: "string" },
  port: { type: "string" },
  url: { type: "string" },
  data: { type: "string" },
  anchor: { type: "string" },
  config: { type: "string" },
  "database-url": { type: "string" },
  "grpc-port": { type: "string" },
  "ca-key": { type: "string" },
  "ca-chain": { type: "string" },
  "ca-passphrase-file": { type: "string" },
  auditor: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;
