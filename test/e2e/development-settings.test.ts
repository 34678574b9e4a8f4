import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, startChancery } from "@chancery/testing";
import { expect, test } from "vitest";
import { signFile } from "../explorer/signatures.ts";

test("a file of settings alone has them in development mode, with its own issuer and on loopback", async () => {
  const folder = await mkdtemp(join(tmpdir(), "chancery-development-"));
  const [port, metrics] = [await freePort(), await freePort()];
  const config = join(folder, "dev.yaml");
  const idp = `http://localhost:${port}/idp`;
  await writeFile(
    config,
    `chancery:
  metrics: { port: ${metrics} }
  rekor:
    admission:
      rekor-v2: { signers: { own-ca: true } }
  readers: { issuer: "${idp}", client-id: sigstore, roles: { reader: { email: "*@example.com" } } }
`,
  );
  try {
    await using stack = await startChancery({ port, auditor: "on", env: { CHANCERY_CONFIG: config } });
    expect(stack.output()).toContain("Development identity provider: anyone on this machine can be anyone.");
    await signFile(stack, Buffer.from("a file"), { email: "dev@example.com", log: 2 });
    expect(await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()).toContain("chancery_audit_alarms");
    const search = `${stack.url}/api/chancery/v1/search?san=dev@example.com`;
    expect((await fetch(search)).status).toBe(401);
    const authorized = { headers: { Authorization: `Bearer ${await stack.token("reader@example.com")}` } };
    const found = (await (await fetch(search, authorized)).json()) as { results: object[] };
    expect(found.results).toHaveLength(1);
    const stranger = { headers: { Authorization: `Bearer ${await stack.token("a@elsewhere.example")}` } };
    expect((await fetch(search, stranger)).status).toBe(403);
    // There is no file of issuers to read anew: a hang-up ends it, as it does without a file.
    process.kill(stack.pid, "SIGHUP");
    await expect
      .poll(
        () =>
          fetch(`${stack.url}/livez`).then(
            ({ status }) => status,
            () => "gone",
          ),
        { timeout: 30_000 },
      )
      .toBe("gone");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
