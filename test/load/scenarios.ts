import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { closedLoop } from "./closed-loop.ts";
import { json, once, repeat, type Scenario } from "./scenario.ts";

/** Entries of about 800 B each, every one new: a deduplicated entry would cost no commit. */
function hashedRekords(count: number) {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const content = Buffer.from(publicKey.export({ type: "spki", format: "pem" })).toString("base64");
  return Array.from({ length: count }, () => {
    const artifact = randomBytes(32);
    const entry = {
      apiVersion: "0.0.1",
      kind: "hashedrekord",
      spec: {
        data: { hash: { algorithm: "sha256", value: createHash("sha256").update(artifact).digest("hex") } },
        signature: { content: sign("sha256", artifact, privateKey).toString("base64"), publicKey: { content } },
      },
    };
    return { method: "POST", path: "/api/v1/log/entries", ...json(entry) } as const;
  });
}

const write: Scenario = {
  name: "write",
  title: "log a hashedrekord (v1, public key, answered once published)",
  expect: 201,
  prepare: async (_stack, count) => once(hashedRekords(count)),
};

const read: Scenario = {
  name: "read",
  title: "read a random entry with its proof (v1)",
  expect: 200,
  prepare: async (stack) => {
    const wanted = 1000;
    const missing = wanted - (await stack.logState()).treeSize;
    if (missing > 0) {
      await closedLoop(stack.url, { clients: 64, seconds: 60, expect: 201, next: once(hashedRekords(missing)) });
    }
    const { treeSize } = await stack.logState();
    return () => ({
      method: "GET",
      path: `/api/v1/log/entries?logIndex=${Math.floor(Math.random() * treeSize)}`,
    });
  },
};

const tsa: Scenario = {
  name: "tsa",
  title: "timestamp (JSON request, P-256)",
  expect: 200,
  prepare: async () => {
    const request = {
      artifactHash: createHash("sha256").update("bench").digest("base64"),
      hashAlgorithm: "sha256",
      certificates: true,
      nonce: 7,
    };
    return repeat([{ method: "POST", path: "/api/v1/timestamp", ...json(request) }]);
  },
};

const checkpoint: Scenario = {
  name: "checkpoint",
  title: "read the log's state (v1)",
  expect: 200,
  prepare: async () => repeat([{ method: "GET", path: "/api/v1/log" }]),
};

export const SCENARIOS: readonly Scenario[] = [write, read, checkpoint, tsa];
