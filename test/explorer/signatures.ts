import { type Bundle, bundleToJSON } from "@sigstore/bundle";
import {
  DSSEBundleBuilder,
  FulcioSigner,
  MessageSignatureBundleBuilder,
  RekorWitness,
  TSAWitness,
} from "@sigstore/sign";

/** A stack that runs, as far as signing needs it. */
export interface Signable {
  readonly url: string;
  readonly token: (email?: string) => Promise<string>;
}

export interface SigningOptions {
  readonly email?: string;
  /** Generation of the log's API. */
  readonly log?: 1 | 2;
}

const IN_TOTO = "application/vnd.in-toto+json";

/** Signs a file as any client does: token, certificate, signature, log entry. */
export async function signFile(stack: Signable, data: Buffer, options: SigningOptions = {}) {
  const builder = new MessageSignatureBundleBuilder(parts(stack, options));
  return written(await builder.create({ data }));
}

/** Signs an in-toto statement. The v1 log keeps it beside its entry. */
export async function signStatement(stack: Signable, statement: object, options: SigningOptions = {}) {
  const builder = new DSSEBundleBuilder(parts(stack, options));
  return written(await builder.create({ data: Buffer.from(JSON.stringify(statement)), type: IN_TOTO }));
}

function parts({ url, token }: Signable, { email = "dev@example.com", log = 2 }: SigningOptions) {
  const retry = 0;
  return {
    signer: new FulcioSigner({ fulcioBaseURL: url, identityProvider: { getToken: () => token(email) }, retry }),
    witnesses: [
      new RekorWitness({ rekorBaseURL: url, majorApiVersion: log, entryType: "intoto", retry }),
      new TSAWitness({ tsaBaseURL: url, retry }),
    ],
  };
}

export type SignedBundle = ReturnType<typeof bundleToJSON>;

function written(bundle: Bundle): SignedBundle {
  return bundleToJSON(bundle);
}

const SUBJECT = {
  name: "registry.example.com/acme/payments",
  digest: { sha256: "6f1e2a4d8c0b35977d2c4e6a1f3b5d7e9a0c2e4f6a8b0d1c3e5f7a9b1d2c4e6f" },
};

/** SLSA provenance as the public GitHub workflow generator writes it. https://slsa.dev/provenance/v1 */
export const PROVENANCE = {
  _type: "https://in-toto.io/Statement/v1",
  subject: [SUBJECT],
  predicateType: "https://slsa.dev/provenance/v1",
  predicate: {
    buildDefinition: {
      buildType: "https://actions.github.io/buildtypes/workflow/v1",
      externalParameters: {
        workflow: {
          ref: "refs/heads/main",
          repository: "https://git.example.com/acme/payments",
          path: ".github/workflows/release.yml",
        },
      },
      resolvedDependencies: [
        {
          uri: "git+https://git.example.com/acme/payments@refs/heads/main",
          digest: { gitCommit: "4d1f6f0f5a2f2b1e3c5d7e9f1a3b5c7d9e1f3a5b" },
        },
      ],
    },
    runDetails: {
      builder: { id: "https://git.example.com/acme/builder/.github/workflows/build.yml@refs/tags/v2" },
      metadata: {
        invocationId: "https://git.example.com/acme/payments/actions/runs/8123/attempts/1",
        startedOn: "2026-11-20T09:14:02Z",
        finishedOn: "2026-11-20T09:17:40Z",
      },
    },
  },
};

export const SPDX = {
  _type: "https://in-toto.io/Statement/v0.1",
  subject: [SUBJECT],
  predicateType: "https://spdx.dev/Document",
  predicate: {
    spdxVersion: "SPDX-2.3",
    name: "payments",
    documentNamespace: "https://sbom.example.com/payments-1.4.2",
    creationInfo: { created: "2026-11-20T09:16:11Z", creators: ["Tool: syft-1.9.0", "Organization: Acme"] },
    packages: [
      { name: "openssl", versionInfo: "3.5.1", licenseConcluded: "Apache-2.0" },
      { name: "zlib", versionInfo: "1.3.1", licenseConcluded: "Zlib" },
      { name: "ca-certificates", versionInfo: "20260601", licenseConcluded: "MPL-2.0" },
    ],
    files: [],
  },
};

export const CYCLONEDX = {
  _type: "https://in-toto.io/Statement/v0.1",
  subject: [SUBJECT],
  predicateType: "https://cyclonedx.org/bom",
  predicate: {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
    metadata: {
      timestamp: "2026-11-20T09:16:30Z",
      tools: { components: [{ name: "cdxgen", version: "11.2.0" }] },
      component: { name: "payments", version: "1.4.2" },
    },
    components: [
      { name: "fastify", version: "5.12.8", purl: "pkg:npm/fastify@5.12.8", licenses: [{ license: { id: "MIT" } }] },
      { name: "pg", version: "8.23.1", purl: "pkg:npm/pg@8.23.1", licenses: [{ license: { id: "MIT" } }] },
      { name: "zod", version: "4.6.7", purl: "pkg:npm/zod@4.6.7", licenses: [{ expression: "MIT OR Apache-2.0" }] },
    ],
    vulnerabilities: [],
  },
};
