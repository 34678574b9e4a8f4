/** Small but complete predicates for `cosign attest --type …`. */
export const PREDICATES: Readonly<Record<string, unknown>> = {
  spdxjson: {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: "example",
    documentNamespace: "https://example.com/spdx/example",
    creationInfo: { creators: ["Tool: example"], created: "2026-01-01T00:00:00Z" },
    packages: [],
  },
  slsaprovenance: {
    builder: { id: "https://example.com/builder" },
    buildType: "https://example.com/build",
    invocation: {
      configSource: { uri: "https://example.com/source", digest: { sha1: "0".repeat(40) }, entryPoint: "build" },
    },
    materials: [],
  },
};
