import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ephemeralSigner } from "@chancery/crypto";
import {
  aCertificate,
  anArtifact,
  aStatement,
  base64,
  dsse,
  hashedrekord,
  intoto1,
  intoto2,
  keyPem,
  type Proposal,
} from "./proposals.ts";
import { RekorLog } from "../src/index.ts";
import { IndexMemory } from "../src/domain/index-memory.ts";
import { HOSTNAME, type RunningRekor, startRekor, TREE_ID } from "./running-rekor.ts";

const SEARCH = "/api/v1/index/retrieve";

let rekor: RunningRekor;
beforeAll(async () => {
  rekor = await startRekor();
});
afterAll(async () => {
  await rekor[Symbol.asyncDispose]();
});

const post = (path: string, body: unknown) => rekor.request("POST", path, body);
const logged = (proposal: Proposal) => rekor.logged(proposal);
const hexOf = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");

const search = async (query: object) => {
  const answer = await post(SEARCH, query);
  expect(answer.status, answer.text).toBe(200);
  return answer.json as string[];
};

describe("searching", () => {
  test("finds an entry by e-mail, subject, key and hash, in any letter case, as soon as it is logged", async () => {
    const { signer, leaf } = await aCertificate([
      { type: "email", value: "Searched@Example.com" },
      { type: "url", value: "https://github.com/Owner/Repo/.github/workflows/ci.yml@refs/heads/main" },
    ]);
    const artifact = anArtifact();
    const id = await logged(await hashedrekord({ signer, artifact, verifier: leaf }));
    const queries = [
      { email: "searched@example.COM" },
      { subject: "https://github.com/owner/repo/.github/workflows/CI.yml@refs/heads/main" },
      { subject: "Searched@example.com" },
      { hash: `sha256:${hexOf(artifact)}` },
      { hash: hexOf(artifact) },
      { hash: hexOf(artifact).toUpperCase() },
      { publicKey: { format: "x509", content: base64(leaf) } },
    ];
    for (const query of queries) expect(await search(query), JSON.stringify(query)).toEqual([id]);
  });

  test("finds dsse and intoto entries by key too, which upstream does not", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const subject = hexOf("an artifact");
    const ids = [];
    for (const proposal of [
      await dsse({ signers: [signer], payload: aStatement(subject) }),
      await intoto1(signer, aStatement(subject)),
      await intoto2(signer, aStatement(subject)),
    ]) {
      ids.push(await logged(proposal));
    }
    expect(await search({ publicKey: { format: "x509", content: base64(keyPem(signer)) } })).toEqual(ids.toReversed());
    expect(await search({ hash: `sha256:${hexOf(keyPem(signer))}` })).toEqual(ids.toReversed());
    expect(await search({ hash: subject })).toEqual(ids.toReversed());
  });

  test("joins its parts with or, unless told and", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const publicKey = { format: "x509", content: base64(keyPem(signer)) };
    const [one, other] = [anArtifact(), anArtifact()];
    const first = await logged(await hashedrekord({ signer, artifact: one }));
    const second = await logged(await hashedrekord({ signer, artifact: other }));
    expect(await search({ publicKey, hash: hexOf(one) })).toEqual([second, first]);
    expect(await search({ publicKey, hash: hexOf(one), operator: "or" })).toEqual([second, first]);
    expect(await search({ publicKey, hash: hexOf(one), operator: "and" })).toEqual([first]);
    expect(await search({ publicKey, email: "no@example.com", operator: "and" })).toEqual([]);
  });

  test("finds SHA-384 and SHA-512 digests", async () => {
    const artifact = anArtifact();
    for (const [key, algorithm] of [
      ["ecdsa-p384", "sha384"],
      ["ecdsa-p521", "sha512"],
    ] as const) {
      const id = await logged(await hashedrekord({ signer: ephemeralSigner(key), artifact, algorithm }));
      const digest = createHash(algorithm).update(artifact).digest("hex");
      expect(await search({ hash: digest })).toEqual([id]);
      expect(await search({ hash: `${algorithm}:${digest}` })).toEqual([id]);
    }
  });

  test("answers an empty list for nothing found and nothing asked", async () => {
    for (const query of [{ hash: "ab".repeat(32) }, {}, { email: null }, { operator: "and" }, { email: "" }]) {
      expect(await search(query)).toEqual([]);
    }
  });

  test("refuses what is no search", async () => {
    const content = base64(keyPem(ephemeralSigner("ecdsa-p256")));
    const refusals: [unknown, number, number, string][] = [
      [{ email: "nobody" }, 422, 601, 'email in body must be of type email: "nobody"'],
      [{ hash: "xyz" }, 422, 605, "hash in body should match '^(sha512:)?"],
      [{ hash: `sha256:${"a".repeat(63)}` }, 422, 605, "hash in body should match"],
      [{ hash: `sha1:${"a".repeat(64)}` }, 422, 605, "hash in body should match"],
      [{ operator: "nor" }, 422, 606, "operator in body should be one of [and or]"],
      [{ subject: "x".repeat(513) }, 422, 603, "subject in body should be at most 512 chars long"],
      [{ publicKey: { content } }, 422, 602, "publicKey.format in body is required"],
      [
        { publicKey: { format: "x" } },
        422,
        606,
        "publicKey.format in body should be one of [pgp x509 minisign ssh tuf]",
      ],
      [{ publicKey: { format: "pgp", content } }, 400, 400, "publicKey.content: not OpenPGP's ASCII armor"],
      [{ publicKey: { format: "tuf", content } }, 400, 400, "publicKey.content"],
      [{ publicKey: { format: "x509" } }, 400, 400, "publicKey.content: is required"],
      [{ publicKey: { format: "x509", content: "!" } }, 400, 400, "publicKey.content"],
      [{ publicKey: { format: "x509", content: base64("x") } }, 400, 400, "publicKey.content"],
      [
        { publicKey: { format: "x509", url: "http://169.254.169.254/" } },
        400,
        400,
        "publicKey.url: the log fetches nothing",
      ],
      [{ publicKey: [] }, 400, 400, "publicKey: not an object"],
      [{ email: ["a@example.com"] }, 400, 400, "email: not a string"],
      [{ hash: { $ne: "" } }, 400, 400, "hash: not a string"],
      [{ subject: 7 }, 400, 400, "subject: not a string"],
      [{ surprise: 1 }, 400, 400, "surprise: no such member"],
      ["", 422, 602, "query in body is required"],
      ["x".repeat(65 * 1024), 413, 413, ""],
    ];
    for (const [body, status, code, message] of refusals) {
      const answer = await post(SEARCH, body);
      expect([answer.status, answer.json.code], JSON.stringify(body).slice(0, 80)).toEqual([status, code]);
      expect(answer.json.message).toContain(message);
    }
  });
});

describe("a search that is repeated", () => {
  test("reads no entries, whose payloads would make it cost a second", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const ids = [await logged(await intoto1(signer)), await logged(await hashedrekord({ signer }))];
    const texts = [createHash("sha256").update(keyPem(signer)).digest("hex")];
    // As after a start: nothing is known yet.
    const cold = new RekorLog({ hostname: HOSTNAME, treeId: TREE_ID }, rekor);
    const whole = vi.spyOn(rekor.log, "entry");
    const read = vi.spyOn(rekor.log.lookup, "entries");
    expect(await cold.search(texts, "or")).toEqual(ids.toReversed());
    expect(await cold.search(texts, "or")).toEqual(ids.toReversed());
    // Beside each of 32 that are read at a time may stand 10 MiB, of which the answer needs nothing.
    expect(read.mock.calls).toEqual([[[expect.anything(), expect.anything()], 0]]);
    expect(whole).not.toHaveBeenCalled();
    read.mockRestore();
    whole.mockRestore();
  });

  test("remembers only so many", () => {
    const ids = new IndexMemory<string>(2);
    for (const index of [1n, 2n, 3n, 3n]) ids.keep(index, `id ${index}`);
    expect([0n, 1n, 2n, 3n, 4n].map((index) => ids.get(index))).toEqual([
      undefined,
      undefined,
      "id 2",
      "id 3",
      undefined,
    ]);
  });
});
