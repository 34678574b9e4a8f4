import { fileURLToPath } from "node:url";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { ReadAccess } from "@chancery/service";
import { leafHash, parseEntryBundle } from "@chancery/tlog";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectProven, hashedRekordRequest, newKey, type RunningRekorV2, startRekorV2 } from "./running-rekor-v2.ts";

const folder = fileURLToPath(new URL("../proto/", import.meta.url));
const description = loadSync("rekor_v2.proto", { includeDirs: [folder], defaults: true, enums: String, longs: String });

interface Method {
  readonly path: string;
  readonly requestSerialize: (message: object) => Buffer;
  // oxlint-disable-next-line typescript/no-explicit-any -- each test says what it expects in there.
  readonly responseDeserialize: (bytes: Buffer) => any;
}

interface Called {
  // oxlint-disable-next-line typescript/no-explicit-any -- each test says what it expects in there.
  readonly answer?: any;
  readonly error?: ServiceError;
  readonly headers?: Metadata;
}

let rekor: RunningRekorV2;
let client: Client;
beforeAll(async () => {
  rekor = await startRekorV2();
  client = new Client(rekor.service.grpcAddress!, credentials.createInsecure());
});
afterAll(async () => {
  client?.close();
  await rekor?.[Symbol.asyncDispose]();
});

function call(name: string, request: object, to = client, metadata = new Metadata()): Promise<Called> {
  const methods = description["dev.sigstore.rekor.v2.Rekor"] as unknown as Readonly<Record<string, Method>>;
  const { path, requestSerialize, responseDeserialize } = methods[name]!;
  return new Promise((resolve) => {
    let headers: Metadata | undefined;
    to.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error, answer) =>
      resolve({ ...(error === null ? { answer } : { error }), ...(headers && { headers }) }),
    ).on("metadata", (sent: Metadata) => (headers = sent));
  });
}

/** The same request as over HTTP, with bytes for base64. */
function message(artifact: string, key = newKey()) {
  const { digest, signature } = hashedRekordRequest(artifact, key).hashedRekordRequestV002;
  return {
    hashedRekordRequestV002: {
      digest: Buffer.from(digest, "base64"),
      signature: {
        content: Buffer.from(signature.content, "base64"),
        verifier: { publicKey: { rawBytes: key.spki }, keyDetails: key.keyDetails },
      },
    },
  };
}

describe("Rekor v2 over gRPC", () => {
  test("logs an entry and answers what HTTP would", async () => {
    const { answer, error } = await call("CreateEntry", message("over gRPC"));
    expect(error).toBeUndefined();
    const { logId, inclusionProof: proof, canonicalizedBody, ...rest } = answer;
    const json = {
      ...rest,
      logId: { keyId: logId.keyId.toString("base64") },
      inclusionProof: {
        ...proof,
        rootHash: proof.rootHash.toString("base64"),
        hashes: proof.hashes.map((hash: Buffer) => hash.toString("base64")),
      },
      canonicalizedBody: canonicalizedBody.toString("base64"),
    };
    expect(json).toMatchObject({ integratedTime: "0", inclusionPromise: null });
    expectProven({ status: 201, headers: {}, text: "", json }, rekor);
  });

  test("tells the index of an entry that is there", async () => {
    const request = message("twice");
    const { answer } = await call("CreateEntry", request);
    const { error, headers } = await call("CreateEntry", request);
    expect(error).toMatchObject({ code: status.ALREADY_EXISTS });
    expect(error!.details).toBe(
      `an equivalent entry already exists in the transparency log with index ${answer.logIndex}`,
    );
    expect(headers!.get("x-log-index")).toEqual([answer.logIndex]);
  });

  test("reads checkpoint, tiles and bundles", async () => {
    const { size } = (await rekor.log.published()).head;
    const checkpoint = (await call("GetCheckpoint", {})).answer;
    expect(checkpoint.data.toString()).toBe((await rekor.get("/api/v2/checkpoint")).text);
    const bundle = (await call("GetEntryBundle", { N: `000.p/${size}` })).answer.data;
    const tile = (await call("GetTile", { L: 0, N: `000.p/${size}` })).answer;
    expect(tile.contentType).toBe("application/octet-stream");
    expect(Buffer.concat(parseEntryBundle(new Uint8Array(bundle)).map(leafHash))).toEqual(tile.data);
    expect((await call("GetTile", { L: 0, N: "000" })).error).toMatchObject({ code: status.NOT_FOUND });
    expect((await call("GetTile", { L: 0, N: "../000" })).error).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect((await call("GetEntryBundle", {})).error).toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  test.for([
    ["nothing", {}, "invalid type"],
    ["no signature", { hashedRekordRequestV002: { digest: Buffer.alloc(32) } }, "signature"],
    ["no key", { hashedRekordRequestV002: { digest: Buffer.alloc(32), signature: { verifier: {} } } }, "publicKey"],
    ["no envelope", { dsseRequestV002: { verifiers: [] } }, "envelope"],
    ["no verifier", { dsseRequestV002: { envelope: { signatures: [{ sig: Buffer.alloc(8) }] } } }, "verifiers"],
  ] as const)("a request with %s is refused by name", async ([, request, field]) => {
    const { error } = await call("CreateEntry", request);
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(error!.details).toContain(field);
  });
});

describe("where readers must say who they are", () => {
  test("a log is read over gRPC with a token, and written without", async () => {
    const readAccess: ReadAccess = {
      guardsLogs: true,
      wanted: "send a bearer token",
      loginUrl: () => undefined,
      readerOf: async ({ authorization }) =>
        authorization === undefined
          ? undefined
          : { name: "someone", roles: authorization === "Bearer good" ? ["reader"] : [] },
    };
    await using guarded = await startRekorV2("ed25519", { readAccess });
    const guardedClient = new Client(guarded.service.grpcAddress!, credentials.createInsecure());
    const ask = async (name: string, request: object, token?: string) => {
      const metadata = new Metadata();
      if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
      return (await call(name, request, guardedClient, metadata)).error?.code ?? status.OK;
    };
    expect(await ask("CreateEntry", message("guarded"))).toBe(status.OK);
    for (const [name, request] of [
      ["GetCheckpoint", {}],
      ["GetTile", { L: 0, N: "000.p/1" }],
      ["GetEntryBundle", { N: "000.p/1" }],
    ] as const) {
      const answers = [await ask(name, request), await ask(name, request, "other"), await ask(name, request, "good")];
      expect([name, ...answers]).toEqual([name, status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.OK]);
    }
    guardedClient.close();
  });
});
