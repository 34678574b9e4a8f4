/** Every kind that can be logged, by name: for who asks for entries and has none to verify, and loads no reader of packages. */
export const ENTRY_KIND_NAMES = [
  "hashedrekord",
  "dsse",
  "intoto",
  "cose",
  "rekord",
  "rfc3161",
  "jar",
  "alpine",
  "helm",
  "rpm",
  "tuf",
] as const;

export type EntryKindName = (typeof ENTRY_KIND_NAMES)[number];
