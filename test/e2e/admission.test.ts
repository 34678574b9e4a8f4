import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ChanceryProcess,
  type ClientHome,
  clientHome,
  needClients,
  startChancery,
  startFakeIssuer,
} from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const { missing, reason } = needClients("cosign-2", "cosign-3");

describe.skipIf(missing)(`logs that take only certificates of the stack's own CA${reason}`, () => {
  let issuer: Awaited<ReturnType<typeof startFakeIssuer>>;
  let stack: ChanceryProcess;
  let homes: Readonly<Record<"cosign-2" | "cosign-3", ClientHome>>;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "chancery-admission-"));
    issuer = await startFakeIssuer();
    const own = { signers: { "own-ca": true } };
    const issuers = { [issuer.url]: { "issuer-url": issuer.url, "client-id": "sigstore", type: "email" } };
    const config = join(folder, "config.json");
    const chancery = { rekor: { admission: { rekor: own, "rekor-v2": own } } };
    await writeFile(config, JSON.stringify({ "oidc-issuers": issuers, chancery }));
    stack = await startChancery({ args: ["--config", config] });
    homes = { "cosign-2": await clientHome(), "cosign-3": await clientHome() };
    for (const client of ["cosign-2", "cosign-3"] as const) {
      await homes[client].run(client, "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
    }
  });
  afterAll(async () => {
    const parts = [stack, issuer, homes?.["cosign-2"], homes?.["cosign-3"]];
    await Promise.all(parts.map((part) => part?.[Symbol.asyncDispose]()));
    await rm(folder, { recursive: true, force: true });
  });

  // Each speaks another of the two APIs.
  const urls = (client: string) =>
    client === "cosign-2" ? [`--fulcio-url=${stack.url}`, `--rekor-url=${stack.url}`] : [];

  test.for(["cosign-2", "cosign-3"] as const)(
    "an unmodified %s signs with its identity, and not with a key",
    async (client) => {
      const home = homes[client];
      const file = await home.write("blob", `by ${client}`);
      const bundle = `--bundle=${home.path("blob.json")}`;
      const token = `--identity-token=${await issuer.token()}`;
      await home.run(client, "sign-blob", "--yes", token, bundle, ...urls(client), file);
      const identity = ["--certificate-identity=dev@example.com", `--certificate-oidc-issuer=${issuer.url}`];
      await home.run(client, "verify-blob", bundle, ...identity, ...urls(client).slice(1), file);

      await home.run(client, "generate-key-pair");
      const other = await home.write("other", `with a key by ${client}`);
      const key = `--key=${home.path("cosign.key")}`;
      const refused = await home.refuse(
        client,
        "sign-blob",
        "--yes",
        key,
        `--bundle=${home.path("other.json")}`,
        ...urls(client).slice(1),
        other,
      );
      expect(refused.stderr + refused.stdout).toContain(
        "this log takes only signatures with certificates of this installation's authority",
      );
    },
  );
});
