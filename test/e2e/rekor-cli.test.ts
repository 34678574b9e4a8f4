import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type ChanceryProcess, type ClientHome, clientHome, needClients, startChancery } from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const { missing, reason } = needClients("cosign-2", "rekor-cli");

describe.skipIf(missing)(`rekor-cli reads what cosign wrote${reason}`, () => {
  let stack: ChanceryProcess;
  let home: ClientHome;
  let file: string;
  let digest: string;
  let signature: string;
  let certificate: string;
  let uuid: string;

  const rekor = (...args: string[]) => home.run("rekor-cli", ...args, `--rekor_server=${stack.url}`);
  const rekorJson = async (...args: string[]) => JSON.parse((await rekor(...args, "--format=json")).stdout);

  beforeAll(async () => {
    [stack, home] = await Promise.all([startChancery(), clientHome()]);
    await home.run("cosign-2", "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
    for (const name of ["first", "second", "third"]) {
      file = await home.write(name, `the ${name} file`);
      const bundle = home.path(`${name}.bundle`);
      await home.run(
        "cosign-2",
        "sign-blob",
        "--yes",
        `--fulcio-url=${stack.url}`,
        `--rekor-url=${stack.url}`,
        `--identity-token=${await stack.token(`${name}@example.com`)}`,
        `--bundle=${bundle}`,
        file,
      );
      const { base64Signature, cert } = JSON.parse(await readFile(bundle, "utf8"));
      signature = await home.write(`${name}.sig`, Buffer.from(base64Signature, "base64"));
      certificate = await home.write(`${name}.pem`, Buffer.from(cert, "base64"));
    }
    digest = createHash("sha256").update("the third file").digest("hex");
    uuid = (await rekorJson("search", `--sha=${digest}`)).UUIDs[0];
  });
  afterAll(async () => {
    await Promise.all([stack, home].map((part) => part?.[Symbol.asyncDispose]()));
  });

  test("loginfo verifies the tree head and its consistency with the last one seen", async () => {
    expect((await rekorJson("loginfo")).ActiveTreeSize).toBe(3);
    expect((await rekorJson("loginfo")).ActiveTreeSize).toBe(3);
  });

  test("gets an entry by UUID and by index", async () => {
    const byUuid = await rekorJson("get", `--uuid=${uuid}`);
    const byIndex = await rekorJson("get", `--log-index=2`);
    expect(byUuid.Body.HashedRekordObj.data.hash.value).toBe(digest);
    expect(byIndex).toEqual(byUuid);
  });

  test.for(["sha", "email", "public-key"])("finds an entry by --%s", async (by) => {
    const wanted = { sha: digest, email: "third@example.com", "public-key": certificate }[by] ?? "";
    const kind = by === "public-key" ? ["--pki-format=x509"] : [];
    expect((await rekorJson("search", `--${by}=${wanted}`, ...kind)).UUIDs).toEqual([uuid]);
  });

  test("finds nothing for what was never logged", async () => {
    const found = await rekor("search", `--sha=${"0".repeat(64)}`).catch((error: unknown) => String(error));
    expect(JSON.stringify(found)).toMatch(/no matching entries|\[\]|not found/i);
  });

  test("verifies an artifact's entry with its inclusion proof", async () => {
    const verified = await rekor(
      "verify",
      "--type=hashedrekord",
      "--pki-format=x509",
      `--artifact-hash=${digest}`,
      `--signature=${signature}`,
      `--public-key=${certificate}`,
    );
    expect(verified.stdout).toMatch(/Inclusion Proof/i);
  });

  test("logproof proves that the log grew", async () => {
    const proof = await rekorJson("logproof", "--first-size=1", "--last-size=3");
    expect(proof.Hashes.length).toBeGreaterThan(0);
    expect(proof.RootHash).toMatch(/^[0-9a-f]{64}$/);
  });
});
