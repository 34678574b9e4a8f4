/** As the logs name them, the commonest first. */
export const ENTRY_KINDS: readonly string[] = [
  "hashedrekord",
  "dsse",
  "intoto",
  "rekord",
  "rfc3161",
  "cose",
  "jar",
  "alpine",
  "helm",
  "rpm",
  "tuf",
];
