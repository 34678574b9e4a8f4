import { type ChanceryProcess, startChancery } from "@chancery/testing";
import { attest, sign, verify } from "sigstore";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** sigstore-js keeps its TUF cache where it is told; a folder inside the stack's own goes away with it. */
describe("sigstore-js from npm", () => {
  let stack: ChanceryProcess;
  let tuf: { tufMirrorURL: string; tufRootPath: string; tufCachePath: string };

  beforeAll(async () => {
    stack = await startChancery();
    const { writeFile, mkdtemp } = await import("node:fs/promises");
    const { tmpdir } = await import("node:os");
    const { join } = await import("node:path");
    const folder = await mkdtemp(join(tmpdir(), "sigstore-js-"));
    const root = await (await fetch(`${stack.url}/tuf/root.json`)).text();
    await writeFile(join(folder, "root.json"), root);
    tuf = {
      tufMirrorURL: `${stack.url}/tuf`,
      tufRootPath: join(folder, "root.json"),
      tufCachePath: join(folder, "cache"),
    };
  });
  afterAll(() => stack?.[Symbol.asyncDispose]());

  const services = async (tsa: boolean) => ({
    fulcioURL: stack.url,
    rekorURL: stack.url,
    ...(tsa ? { tsaServerURL: stack.url } : {}),
    identityToken: await stack.token(),
  });
  const policy = () => ({
    certificateIssuer: `${stack.url}/idp`,
    certificateIdentityEmail: "dev@example.com",
    ctLogThreshold: 1,
    tlogThreshold: 1,
  });

  test.for([false, true])("signs and verifies a message, timestamp authority: %s", async (tsa) => {
    const message = Buffer.from(`a message (${tsa})`);
    const bundle = await sign(message, await services(tsa));
    await verify(bundle, message, { ...tuf, ...policy(), ...(tsa ? { timestampThreshold: 1 } : {}) });
  });

  test("signs and verifies a DSSE attestation", async () => {
    const statement = Buffer.from(JSON.stringify({ _type: "https://in-toto.io/Statement/v1", subject: [] }));
    const bundle = await attest(statement, "application/vnd.in-toto+json", await services(false));
    await verify(bundle, { ...tuf, ...policy() });
  });

  test("refuses another message", async () => {
    const bundle = await sign(Buffer.from("what was signed"), await services(false));
    await expect(verify(bundle, Buffer.from("what was not"), { ...tuf, ...policy() })).rejects.toThrow(/signature/i);
  });
});
