import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ephemeralSigner, type Signer } from "@chancery/crypto";
import { type ClientHome, clientHome, needClients } from "@chancery/testing";
import { aCertificate, anArtifact, anEnvelope, aStatement, hashedrekord, keyPem } from "./proposals.ts";
import { type RunningRekor, startRekor, TREE_ID, TREE_ID_HEX } from "./running-rekor.ts";

const { missing, reason } = needClients("rekor-cli");

const uuidOf = (said: string) => /\/api\/v1\/log\/entries\/([0-9a-f]{80})/.exec(said)?.[1] ?? "";
const hashOf = async (path: string, tool = "sha256sum") =>
  (await promisify(execFile)(tool, [path])).stdout.split(" ")[0]!;

/**
 * Upstream's own client against this log. It verifies SET, proof and checkpoint of what it uploads and gets, and for
 * `verify` it rebuilds the canonical entry from the artifact: its own code is the oracle for ours.
 */
describe.skipIf(missing)(`rekor-cli${reason}`, () => {
  let rekor: RunningRekor;
  let home: ClientHome;

  beforeAll(async () => {
    [rekor, home] = await Promise.all([startRekor(), clientHome()]);
  });
  afterAll(async () => {
    await home[Symbol.asyncDispose]();
    await rekor[Symbol.asyncDispose]();
  });

  const cli = (...args: string[]) => home.run("rekor-cli", ...args, "--rekor_server", rekor.url);
  const refused = (...args: string[]) => home.refuse("rekor-cli", ...args, "--rekor_server", rekor.url);

  /** Files of a signed artifact, as flags of upload and verify. */
  async function signedArtifact(signer: Signer, verifier = keyPem(signer)): Promise<string[]> {
    const name = `artifact-${Math.random()}`;
    const artifact = anArtifact();
    return [
      "--artifact",
      await home.write(name, artifact),
      "--signature",
      await home.write(`${name}.sig`, await signer.sign(artifact)),
      "--public-key",
      await home.write(`${name}.pem`, verifier),
      "--pki-format",
      "x509",
    ];
  }

  test("uploads, gets, verifies and finds a hashedrekord", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const flags = await signedArtifact(signer);
    const artifactHash = await hashOf(flags[1]!);
    const typed = ["--type", "hashedrekord", "--artifact-hash", artifactHash, ...flags.slice(2)];
    const uploaded = await cli("upload", ...typed);
    const uuid = uuidOf(uploaded.stdout);
    expect(uuid.startsWith(TREE_ID_HEX)).toBe(true);
    expect(uuidOf((await cli("upload", ...typed)).stdout)).toBe(uuid);
    const { stdout } = await cli("get", "--uuid", uuid, "--format", "json");
    const got = JSON.parse(stdout);
    expect(got).toMatchObject({ UUID: uuid, Body: { HashedRekordObj: { data: { hash: { value: artifactHash } } } } });
    await cli("get", "--uuid", uuid.slice(16));
    await cli("get", "--log-index", String(got.LogIndex));
    await cli("verify", ...typed);
    await cli("verify", "--uuid", uuid);
    await cli("verify", "--log-index", String(got.LogIndex));
    for (const query of [["--sha", artifactHash], ["--artifact", flags[1]!], flags.slice(4)]) {
      expect((await cli("search", ...query)).stdout).toContain(uuid);
    }
  });

  test("uploads, gets and verifies every other kind, and finds each by its key", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const key = await home.write("kinds.pem", keyPem(signer));
    const envelope = await home.write("envelope.json", JSON.stringify(await anEnvelope([signer])));
    const enveloped = ["--artifact", envelope, "--public-key", key, "--pki-format", "x509"];
    const kinds = [
      ["--type", "rekord", ...(await signedArtifact(signer))],
      ["--type", "dsse", ...enveloped],
      ["--type", "intoto:0.0.2", ...enveloped],
      ["--type", "intoto:0.0.1", ...enveloped],
    ];
    for (const flags of kinds) {
      const uuid = uuidOf((await cli("upload", ...flags)).stdout);
      expect(uuid, flags[1]).toHaveLength(80);
      await cli("get", "--uuid", uuid);
      await cli("verify", ...flags);
      expect((await cli("search", "--public-key", key, "--pki-format", "x509")).stdout, flags[1]).toContain(uuid);
    }
  });

  test("shows the attestation of an intoto entry", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const payload = aStatement();
    const envelope = await home.write("attested.json", JSON.stringify(await anEnvelope([signer], payload)));
    const key = await home.write("attested.pem", keyPem(signer));
    const typed = ["--type", "intoto:0.0.2", "--pki-format", "x509"];
    const uploaded = await cli("upload", ...typed, "--artifact", envelope, "--public-key", key);
    const { stdout } = await cli("get", "--uuid", uuidOf(uploaded.stdout), "--format", "json");
    expect(JSON.parse(stdout).Attestation).toBe(payload);
  });

  test("uploads an envelope of two signers", async () => {
    const signers = [ephemeralSigner("ecdsa-p256"), ephemeralSigner("ecdsa-p256")];
    const keys = await Promise.all(signers.map((signer, place) => home.write(`two-${place}.pem`, keyPem(signer))));
    const envelope = await home.write("two.json", JSON.stringify(await anEnvelope(signers)));
    const named = keys.flatMap((key) => ["--public-key", key]);
    const flags = ["--artifact", envelope, "--pki-format", "x509", ...named];
    for (const type of ["dsse", "intoto:0.0.2"]) {
      await cli("upload", "--type", type, ...flags);
      await cli("verify", "--type", type, ...flags);
    }
  });

  test("uploads by certificate and by certificate chain, and finds them by e-mail and by subject", async () => {
    const { signer, leaf, chain } = await aCertificate([
      { type: "email", value: "cli@example.com" },
      { type: "url", value: "https://example.com/Workflow" },
    ]);
    for (const verifier of [leaf, chain.join("")]) {
      const flags = ["--type", "rekord", ...(await signedArtifact(signer, verifier))];
      const uuid = uuidOf((await cli("upload", ...flags)).stdout);
      await cli("verify", ...flags);
      expect((await cli("search", "--email", "CLI@example.com")).stdout).toContain(uuid);
      // The flag is younger than some clients.
      const { stdout } = await home.run("rekor-cli", "search", "--help");
      if (!stdout.includes("--subject")) continue;
      expect((await cli("search", "--subject", "https://example.com/workflow")).stdout).toContain(uuid);
    }
  });

  // The client has no way to write a SHA-384 digest, so no P-384.
  test.for(["ecdsa-p521", "rsa-2048"] as const)("builds the same hashedrekord as here for %s", async (key) => {
    const signer = ephemeralSigner(key);
    const artifact = anArtifact();
    const digestTool = { "ecdsa-p521": "sha512sum", "rsa-2048": "sha256sum" }[key];
    const artifactHash = await hashOf(await home.write(key, artifact), digestTool);
    const signature = await home.write(`${key}.sig`, await signer.sign(artifact));
    const publicKey = await home.write(`${key}.pem`, keyPem(signer));
    const typed = ["--type", "hashedrekord", "--pki-format", "x509", "--artifact-hash", artifactHash];
    const flags = [...typed, "--signature", signature, "--public-key", publicKey];
    await cli("upload", ...flags);
    await cli("verify", ...flags);
  });

  test("proves the log's growth from one loginfo to the next, and with logproof", async () => {
    const first = JSON.parse((await cli("loginfo", "--format", "json")).stdout).ActiveTreeSize;
    await cli("upload", "--type", "rekord", ...(await signedArtifact(ephemeralSigner("ecdsa-p256"))));
    const { stdout } = await cli("loginfo", "--format", "json");
    const info = JSON.parse(stdout);
    expect(info.ActiveTreeSize).toBe(first + 1);
    expect(String(info.TreeID)).toBe(String(TREE_ID));
    const proof = await cli("logproof", "--first-size", String(first), "--last-size", String(first + 1));
    expect(proof.stdout).toMatch(/[0-9a-f]{64}/);
    expect(await readFile(home.path(".rekor/state.json"), "utf8")).toContain(String(TREE_ID));
  });

  test("reads the head of an empty log, and follows its first growth", async () => {
    await using empty = await startRekor();
    // The client remembers trees by their ID.
    await using freshHome = await clientHome();
    const info = async () => {
      const { stdout } = await freshHome.run("rekor-cli", "loginfo", "--format", "json", "--rekor_server", empty.url);
      return JSON.parse(stdout).ActiveTreeSize;
    };
    expect(await info()).toBe(0);
    await empty.logged(await hashedrekord());
    expect(await info()).toBe(1);
  });

  test("is told why an entry is refused, and that an absent one is absent", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const flags = await signedArtifact(signer);
    const typed = ["--type", "hashedrekord", "--artifact-hash", "ab".repeat(32), ...flags.slice(2)];
    await refused("upload", ...typed);
    const unlogged = ["--type", "rekord", ...flags];
    expect((await refused("verify", ...unlogged)).stderr).toContain("cannot be located");
    expect((await refused("get", "--uuid", "ab".repeat(32))).stderr).toContain("404");
    expect((await refused("search", "--sha", "ab".repeat(32))).stderr).toContain("no matching entries");
  });
});
