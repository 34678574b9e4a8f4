import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync, gzipSync, brotliCompressSync } from "node:zlib";
import { createService, type RunningService } from "@chancery/service";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chooseCoding, ExplorerModule } from "../src/index.ts";

const PAGE = "<!doctype html><title>page</title>";
const SCRIPT = "export const one = 1;\n".repeat(20);
const ABOUT = { url: "http://localhost:1", places: [["Rekor", "http://localhost:1"]] as const, paste: [] };

let folder: string;
let service: RunningService;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-site-"));
  await mkdir(join(folder, "assets"));
  await writeFile(join(folder, "index.html"), PAGE);
  await writeFile(join(folder, ".built-from"), "a hash");
  await writeFile(join(folder, "assets/index-abc.js"), SCRIPT);
  await writeFile(join(folder, "assets/index-abc.js.br"), brotliCompressSync(SCRIPT));
  await writeFile(join(folder, "assets/index-abc.js.gz"), gzipSync(SCRIPT));
  service = await createService({ modules: [ExplorerModule.forRoot({ about: () => ABOUT }, folder)] });
});
afterAll(async () => {
  await service?.close();
  await rm(folder, { recursive: true, force: true });
});

const inject = (url: string, headers: Record<string, string> = {}) =>
  service.app.inject({ method: "GET", url, headers });

describe("the pages", () => {
  test.for(
    ["/", "/search?q=a", "/entries/rekor/12", "/identities?san=a", "/logs", "/logs/rekor", "/logs/ctlog/2026"].concat([
      "/issuance",
      "/health",
      "/sign",
      "/check",
      "/keys",
      "/signed-out",
    ]),
  )("are one page, which reads its own address: %s", async (url) => {
    const answer = await inject(url);
    expect([answer.statusCode, answer.headers["content-type"], answer.body]).toEqual([
      200,
      "text/html; charset=utf-8",
      PAGE,
    ]);
    expect(answer.headers["cache-control"]).toBe("no-cache");
  });

  test("may run files from here and nothing else", async () => {
    const policy = String((await inject("/")).headers["content-security-policy"]);
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(policy).toMatch(/frame-ancestors 'none'.*require-trusted-types-for 'script'; trusted-types 'none'/);
    expect(policy).not.toMatch(/unsafe|https?:|\*|data:/);
  });

  test("are no other origin's to read", async () => {
    const answer = await inject("/", { origin: "https://elsewhere.example" });
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("come with files that are kept for good, in the smallest form that is taken", async () => {
    const plain = await inject("/assets/index-abc.js");
    expect(plain.headers).toMatchObject({
      "cache-control": "public, max-age=31536000, immutable",
      "content-type": "text/javascript; charset=utf-8",
      vary: "Accept-Encoding",
    });
    expect(plain.body).toBe(SCRIPT);
    const brotli = await inject("/assets/index-abc.js", { "accept-encoding": "gzip, deflate, br" });
    expect(brotli.headers["content-encoding"]).toBe("br");
    expect(brotliDecompressSync(brotli.rawPayload).toString()).toBe(SCRIPT);
    const gzip = await inject("/assets/index-abc.js", { "accept-encoding": "gzip, br;q=0" });
    expect(gzip.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(gzip.rawPayload).toString()).toBe(SCRIPT);
  });

  test.for(["/assets/nothing.js", "/assets/..%2f.built-from", "/assets/index-abc.js.br", "/.built-from", "/nowhere"])(
    "are no way to other files: %s",
    async (url) => {
      expect((await inject(url)).statusCode).toBe(404);
    },
  );

  test("answer a browser at an unknown path with a page, and its status; whoever wants data with JSON", async () => {
    const page = await inject("/no/such/page", { accept: "text/html,application/xhtml+xml,*/*;q=0.8" });
    expect([page.statusCode, page.headers["content-type"], page.body]).toEqual([404, "text/html; charset=utf-8", PAGE]);
    expect(page.headers["content-security-policy"]).toMatch(/^default-src 'none'/);
    const data = await inject("/no/such/page", { accept: "*/*" });
    expect([data.statusCode, data.json()]).toEqual([404, { code: 404, message: "there is nothing at this path" }]);
  });

  test("tell how to sign", async () => {
    expect((await inject("/api/chancery/v1/about")).json()).toEqual(ABOUT);
  });
});

test("a coding with a quality of nothing is refused, one with any is taken", () => {
  const file = {
    name: "a.js",
    contentType: "x",
    plain: Buffer.from("p"),
    brotli: Buffer.from("b"),
    gzip: Buffer.from("g"),
  };
  const coding = (accepted?: string) => chooseCoding(file, accepted).coding;
  expect([undefined, "", "identity", "br", "BR;q=0.5", "br; q=0", "br;q=0.000, gzip"].map(coding)).toEqual([
    undefined,
    undefined,
    undefined,
    "br",
    "br",
    undefined,
    "gzip",
  ]);
});

test("a stack whose pages were not built says so, and does all else", async () => {
  const empty = await mkdtemp(join(tmpdir(), "chancery-no-site-"));
  const bare = await createService({ modules: [ExplorerModule.forRoot({ about: () => ABOUT }, empty)] });
  try {
    const answer = await bare.app.inject({ method: "GET", url: "/" });
    expect([answer.statusCode, answer.json().message]).toEqual([503, "the pages have not been built"]);
    expect(bare.readiness.warnings()).toEqual([
      { service: "explorer", warning: expect.stringMatching(/not been built/) },
    ]);
    expect(await bare.readiness.reasons()).toEqual([]);
  } finally {
    await bare.close();
    await rm(empty, { recursive: true, force: true });
  }
});
