import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger, createService, type RunningService } from "@chancery/service";
import { parseCertificatesPem } from "@chancery/x509";
import { encodeBase64 } from "@chancery/encoding";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TsaModule } from "../src/index.ts";
import { TSAWitness } from "./sigstore-js.ts";
import { query, type World, world } from "./world.ts";

let tsa: World;
let service: RunningService;
let now: number | undefined;
beforeAll(async () => {
  tsa = await world();
  service = await start(() => now ?? Date.now());
});
afterAll(() => service.close());

function start(clock?: () => number): Promise<RunningService> {
  const links = clock === undefined ? tsa : { ...tsa, clock };
  return createService({ modules: [TsaModule.forRoot({}, links)], logger: createLogger({ level: "silent" }) });
}

const post = (body: Uint8Array | string, contentType?: string) =>
  fetch(`${service.url}/api/v1/timestamp`, {
    method: "POST",
    body: Buffer.from(body),
    ...(contentType === undefined ? {} : { headers: { "content-type": contentType } }),
  });
const QUERY = "application/timestamp-query";

describe("POST /api/v1/timestamp", () => {
  test("answers a DER query with a token", async () => {
    const answer = await post(query(), QUERY);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/timestamp-reply");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect((await answer.bytes()).subarray(0, 1)).toEqual(Uint8Array.of(0x30));
  });

  test("answers JSON with a DER token too, parameters of the content type or not", async () => {
    const json = JSON.stringify({ artifactHash: encodeBase64(new Uint8Array(32)), hashAlgorithm: "sha256" });
    for (const contentType of ["application/json", "Application/JSON; charset=utf-8"]) {
      const answer = await post(json, contentType);
      expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/timestamp-reply"]);
    }
  });

  test.for<[string, () => Promise<Response>, number, string]>([
    ["text", () => post(query(), "text/plain"), 415, "Content-Type"],
    ["no content type", () => post(query()), 415, "Content-Type"],
    [
      "a content type that names both",
      () => post(query(), "application/x-application/json"),
      415,
      "Unsupported Media Type",
    ],
    ["a body above 1 MiB", () => post(new Uint8Array(1_048_577), QUERY), 413, "1048576"],
    ["JSON above 1 KiB", () => post(JSON.stringify({ nonce: "1".repeat(2000) }), "application/json"), 413, "1024"],
    ["an empty body", () => post("", QUERY), 400, "timestamp request"],
    ["JSON that is none", () => post("{", "application/json"), 400, "timestamp request"],
    ["a short digest", () => post(query({ digest: new Uint8Array(20) }), QUERY), 400, "has 32 bytes, not 20"],
  ])("refuses %s in upstream's shape", async ([, send, status, reason]) => {
    const answer = await send();
    const body = (await answer.json()) as { code: number; message: string };
    expect([answer.status, body.code]).toEqual([status, status]);
    expect(body.message).toContain(reason);
    expect(Object.keys(body)).toEqual(["code", "message"]);
  });

  test("answers 503 while the clock is outside the certificate's validity, and is not ready", async () => {
    now = Date.parse("2030-01-01T00:00:00Z");
    expect((await post(query(), QUERY)).status).toBe(200);
    now = Date.parse("2029-12-31T00:00:00Z");
    const answer = await post(query(), QUERY);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "60"]);
    const ready = await fetch(`${service.url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: "not ready", reasons: [{ service: "tsa", reason: "the clock is 86399 s behind the last token" }] },
    ]);
    now = Date.parse("2030-01-01T00:00:01Z");
    expect((await post(query(), QUERY)).status).toBe(200);
  });
});

test("GET /api/v1/timestamp/certchain answers the chain, leaf first, to be cached for a day", async () => {
  const answer = await fetch(`${service.url}/api/v1/timestamp/certchain`);
  expect(answer.headers.get("content-type")).toBe("application/pem-certificate-chain");
  expect(answer.headers.get("cache-control")).toBe("public, max-age=86400, immutable");
  const chain = parseCertificatesPem(await answer.text(), "chain");
  expect(chain.map((one) => one.der)).toEqual(tsa.chain.map((one) => one.der));
});

test("sigstore-js gets its timestamps here, unmodified", async () => {
  const witness = new TSAWitness({ tsaBaseURL: service.url });
  const signature = Buffer.from("a signature");
  const content = { $case: "messageSignature", messageSignature: { signature } };
  const { rfc3161Timestamps } = await witness.testify(content, "");
  expect(rfc3161Timestamps.map(({ signedTimestamp }) => signedTimestamp[0])).toEqual([0x30]);
});

test("nothing else is there", async () => {
  expect((await fetch(`${service.url}/api/v1/timestamp`)).status).toBe(405);
  expect((await fetch(`${service.url}/api/v1/timestamp/other`)).status).toBe(404);
});

describe.skipIf(spawnSync("openssl", ["version"]).status !== 0)(
  "openssl ts (skipped where it is not installed)",
  () => {
    let directory: string;
    beforeAll(async () => {
      now = undefined;
      tsa = await world();
      await service.close();
      service = await start();
      directory = mkdtempSync(join(tmpdir(), "tsa-"));
      writeFileSync(join(directory, "artifact"), "an artifact");
      writeFileSync(join(directory, "root.pem"), tsa.rootPem);
      writeFileSync(join(directory, "leaf.pem"), tsa.leafPem);
    });
    afterAll(() => rmSync(directory, { recursive: true }));

    const path = (name: string) => join(directory, name);

    async function stamp(...options: string[]): Promise<void> {
      const args = ["ts", "-query", "-data", path("artifact"), "-out", path("query"), ...options];
      execFileSync("openssl", args, { stdio: "ignore" });
      const answer = await post(readFileSync(path("query")), QUERY);
      expect(answer.status).toBe(200);
      writeFileSync(path("reply"), await answer.bytes());
    }

    const verify = (...options: string[]) =>
      spawnSync("openssl", ["ts", "-verify", "-in", path("reply"), "-CAfile", path("root.pem"), ...options], {
        encoding: "utf8",
      });

    test.for(["-sha256", "-sha384", "-sha512"])(
      "verifies the token over %s with its certificate inside",
      async (hash) => {
        await stamp(hash, "-cert");
        expect(verify("-queryfile", path("query"))).toMatchObject({ status: 0, stdout: expect.stringContaining("OK") });
        expect(verify("-data", path("artifact"))).toMatchObject({ status: 0 });
      },
    );

    test("verifies the token without nonce and certificate when given the certificate", async () => {
      await stamp("-sha256", "-no_nonce");
      expect(verify("-data", path("artifact"), "-untrusted", path("leaf.pem"))).toMatchObject({ status: 0 });
      writeFileSync(path("other"), "another artifact");
      const wrong = verify("-data", path("other"), "-untrusted", path("leaf.pem"));
      expect(wrong.status).not.toBe(0);
      expect(wrong.stderr).toContain("message imprint mismatch");
    });

    test("refuses another certificate of the same key in place of the signed one", async () => {
      await stamp("-sha256");
      const impostor = await world();
      writeFileSync(path("impostor.pem"), impostor.leafPem);
      expect(verify("-data", path("artifact"), "-untrusted", path("impostor.pem")).status).not.toBe(0);
    });

    test("refuses the reply to another query", async () => {
      await stamp("-sha256", "-cert");
      execFileSync("openssl", ["ts", "-query", "-data", path("artifact"), "-sha256", "-out", path("second")], {
        stdio: "ignore",
      });
      const wrong = verify("-queryfile", path("second"));
      expect(wrong.stderr).toContain("nonce mismatch");
    });

    test("reads the reply as upstream's would be read", async () => {
      await stamp("-sha256");
      const text = execFileSync("openssl", ["ts", "-reply", "-in", path("reply"), "-text"], {
        encoding: "utf8",
        stdio: "pipe",
      });
      expect(text).toContain("Status: Granted.");
      expect(text).toContain("Policy OID: 1.3.6.1.4.1.57264.2");
      expect(text).toContain("Accuracy: 0x01 seconds, unspecified millis, unspecified micros");
      expect(text).toContain("Ordering: no");
      expect(text).toContain("TSA: DirName:/O=Example/CN=Example Timestamps");
    });
  },
);
