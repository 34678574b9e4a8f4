const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^https?:\/\/slsa\.dev\/provenance\//, "SLSA provenance"],
  [/^https?:\/\/slsa\.dev\/verification_summary\//, "SLSA verification summary"],
  [/^https?:\/\/spdx\.dev\/Document/, "SPDX bill of materials"],
  [/^https?:\/\/cyclonedx\.org\/(bom|specification)/, "CycloneDX bill of materials"],
  [/^https?:\/\/cosign\.sigstore\.dev\/attestation\/vuln\//, "vulnerability report"],
  [/^https?:\/\/in-toto\.io\/attestation\/vulns\//, "vulnerability report"],
  [/^https?:\/\/in-toto\.io\/attestation\/test-result\//, "test result"],
  [/^https?:\/\/in-toto\.io\/attestation\/link\//, "in-toto link"],
  [/^https?:\/\/openvex\.dev\/ns/, "VEX statement"],
  [/^https?:\/\/sigstore\.dev\/cosign\/sign\//, "cosign signature"],
];

/** What a predicate type is called, or the type itself where this page does not know it. */
export function predicateName(type: string): string {
  return NAMES.find(([pattern]) => pattern.test(type))?.[1] ?? type;
}
