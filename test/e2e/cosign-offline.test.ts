import { readFile } from "node:fs/promises";
import { type ChanceryProcess, type ClientHome, clientHome, needClients, startChancery } from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/* Whoever has a bundle and the trusted root needs nobody: everything is verified after the stack is gone. */

const { missing, reason } = needClients("cosign-2.6", "cosign-3");
const V2_ENTRY = { kindVersion: { kind: "hashedrekord", version: "0.0.2" } };
const CLIENTS = [
  // The last that has v2 beside v1, and v1 by default: what it takes from the signing config it must be told to take.
  {
    client: "cosign-2.6",
    signs: ["--use-signing-config"],
    verifies: ["--new-bundle-format", "--use-signed-timestamps"],
  },
  { client: "cosign-3", signs: [], verifies: [] },
] as const;

describe.skipIf(missing)(`a signature in the v2 log, with a timestamp${reason}`, () => {
  let stack: ChanceryProcess;
  let home: ClientHome;
  let url: string;
  let file: string;
  let trustedRoot: string;

  beforeAll(async () => {
    [stack, home] = await Promise.all([startChancery(), clientHome()]);
    ({ url } = stack);
    file = await home.write("blob", "a file");
    const predicate = await home.write("predicate.json", "{}");
    const trusted = await (await fetch(`${url}/trust/trusted_root.json`)).text();
    trustedRoot = `--trusted-root=${await home.write("trusted_root.json", trusted)}`;
    for (const { client, signs } of CLIENTS) {
      await home.run(client, "initialize", `--mirror=${url}/tuf`, `--root=${url}/tuf/root.json`);
      const common = async (bundle: string) => [
        "--yes",
        `--identity-token=${await stack.token()}`,
        `--bundle=${home.path(`${client}-${bundle}`)}`,
        ...signs,
      ];
      await home.run(client, "sign-blob", ...(await common("blob.json")), file);
      const about = ["--type=https://example.com/predicate", `--predicate=${predicate}`];
      await home.run(client, "attest-blob", ...(await common("attestation.json")), ...about, file);
    }
    await stack[Symbol.asyncDispose]();
  });
  afterAll(async () => {
    await Promise.all([stack, home].map((part) => part?.[Symbol.asyncDispose]()));
  });

  const identity = () => ["--certificate-identity=dev@example.com", `--certificate-oidc-issuer=${url}/idp`];
  const bundleOf = (client: string, name: string) => `--bundle=${home.path(`${client}-${name}`)}`;

  test.for(CLIENTS)("made by $client holds, offline, for the same and the other client", async ({ client }) => {
    for (const bundle of ["blob.json", "attestation.json"]) {
      const { verificationMaterial } = JSON.parse(await readFile(home.path(`${client}-${bundle}`), "utf8"));
      expect(verificationMaterial.tlogEntries).toMatchObject([V2_ENTRY]);
      expect(verificationMaterial.timestampVerificationData.rfc3161Timestamps).toHaveLength(1);
    }
    for (const { client: verifier, verifies } of CLIENTS) {
      const given = [...verifies, trustedRoot, ...identity()];
      await home.run(verifier, "verify-blob", ...given, bundleOf(client, "blob.json"), file);
      const about = "--type=https://example.com/predicate";
      const attestation = bundleOf(client, "attestation.json");
      await home.run(verifier, "verify-blob-attestation", ...given, attestation, about, file);
      const other = await home.write("other", "another file");
      await home.refuse(verifier, "verify-blob", ...given, bundleOf(client, "blob.json"), other);
    }
  });
});
