import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parsePem, utf8 } from "@chancery/encoding";
import { startFakeIssuer } from "@chancery/testing";
import { expect, test } from "vitest";
import { IndependentCtLog } from "../../fulcio/test/independent-ct-log.ts";
import { failing, TamperedStack } from "./tampered-stack.ts";
import { startTestStack } from "./start-stack.ts";

/** The root of a new installation in this folder. */
async function rootOf(data: string): Promise<Uint8Array> {
  await using stack = await startTestStack({ data });
  const answer = await (await fetch(`${stack.url}/api/v2/trustBundle`)).json();
  const { chains } = answer as { chains: { certificates: string[] }[] };
  const [root] = parsePem(utf8(chains[0]?.certificates.at(-1) ?? ""), "root", { labels: ["CERTIFICATE"] });
  if (root === undefined) throw new Error("no root");
  return root.der;
}

test(
  "the canary's certificate may carry the SCT of another's CT log that clients trust",
  { timeout: 120_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "foreign-ct-"));
    await using opened = new AsyncDisposableStack();
    opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));
    const data = join(folder, "data");
    const log = opened.use(await IndependentCtLog.start("RFC 6962", "ec", await rootOf(data)));
    const issuer = opened.use(await startFakeIssuer());
    const key = `-----BEGIN PUBLIC KEY-----\n${Buffer.from(log.spki).toString("base64")}\n-----END PUBLIC KEY-----\n`;
    await writeFile(join(folder, "ct.pem"), key);
    const config = join(folder, "config.json");
    const issuers = { [issuer.url]: { "issuer-url": issuer.url, "client-id": "sigstore", type: "email" } };
    const chancery = { fulcio: { "ct-log": { url: log.url, "public-key": "ct.pem" } } };
    await writeFile(config, JSON.stringify({ "oidc-issuers": issuers, chancery }));
    const world = opened.use(await TamperedStack.start({ data, config }));
    const file = join(folder, "token");
    await writeFile(file, await issuer.token());

    const canary = { everyMs: 60_000, token: { file } };
    const auditor = await world.auditor("foreign", { canary, ctLog: "other" });
    await auditor.sing();
    expect(failing(auditor.status())).toEqual([]);
    expect(auditor.status().checks.find(({ name }) => name === "canary certificate")?.state).toBe("passed");
    expect(log.entries).toHaveLength(1);
    await auditor.sweep();
    // Nothing of that log is promised to be in ours.
    expect(failing(auditor.status())).toEqual([]);
  },
);
