import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run } from "../src/command-line.ts";

async function chancery(argv: readonly string[], environment: Record<string, string> = {}) {
  let [out, err] = ["", ""];
  const code = await run(argv, environment, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
  });
  return { code, out, err };
}

describe("the command line", () => {
  test("says its version", async () => {
    const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
      version: string;
    };
    expect(await chancery(["--version"])).toEqual({ code: 0, out: `${manifest.version}\n`, err: "" });
  });

  test.for([["--help"], ["-h"], ["serve", "--help"]])("explains itself: %j", async (argv) => {
    const { code, out } = await chancery(argv);
    expect(code).toBe(0);
    for (const flag of ["--host", "--port", "--url", "--data", "--config", "--database-url"])
      expect(out).toContain(flag);
  });

  test.for([
    [[], "command: none was given; see --help"],
    [["sing"], "sing: there is no such command"],
    [["serve", "now"], "now: is one word too many"],
    [["serve", "--prot", "9000"], "--prot"],
    [["serve", "--port"], "--port"],
    [["serve", "--port", "ninety"], "--port: ninety is not a port"],
    [["presets", "gogs", "--issuer-url", "https://a.example.com"], "preset: gogs is not one of github, "],
    [["presets", "gitea"], "--issuer-url: is missing: https://HOST/api/actions/oidc"],
    [["presets", "spiffe", "--issuer-url", "https://a.example.com"], "spiffe-trust-domain: the preset spiffe needs it"],
    [["presets", "gitea", "now"], "now: is one word too many"],
    [["presets", "--sing"], "presets: Unknown option '--sing'"],
    [["serve", "--host", "0.0.0.0"], "--host: 0.0.0.0 is reachable from other machines"],
  ] as const)("refuses %j in one clear line, with exit code 2", async ([argv, reason]) => {
    const { code, out, err } = await chancery(argv);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(reason);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  });

  test("refuses a variable in the same way", async () => {
    const { code, err } = await chancery(["serve"], { CHANCERY_URL: "nowhere" });
    expect([code, err]).toEqual([2, "chancery: CHANCERY_URL: nowhere is not an absolute http or https URL\n"]);
  });

  test("says that the port is taken before it makes anything", async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    const { port } = holder.address() as { port: number };
    const { code, err } = await chancery(["serve", "--port", String(port), "--data", "/nowhere/at/all"]);
    expect([code, err]).toEqual([
      2,
      `chancery: CHANCERY_PORT: ${port} on 127.0.0.1 is taken; does Chancery run already?\n`,
    ]);
    holder.close();
  });
});

describe("presets", () => {
  test("are listed, each with what its issuer looks like", async () => {
    const { code, out } = await chancery(["presets"]);
    expect(code).toBe(0);
    for (const name of ["github", "gitlab-self-managed", "forgejo", "jenkins", "azure-devops", "entra-id"]) {
      expect(out).toMatch(new RegExp(`^${name} `, "m"));
    }
    expect(out).toContain("https://HOST/api/actions/oidc");
  });

  test("are printed as upstream's configuration", async () => {
    expect(await chancery(["presets", "google"])).toEqual({
      code: 0,
      out: `oidc-issuers:
  https://accounts.google.com:
    issuer-url: https://accounts.google.com
    type: email
    client-id: sigstore
`,
      err: "",
    });
    const { out } = await chancery(["presets", "forgejo", "--issuer-url", "https://git.example.com/api/actions"]);
    expect(out).toContain("subject-alternative-name-template: https://git.example.com/{{ .workflow_ref }}\n");
  });

  test("of a configuration are expanded, and our own section is left out", async () => {
    const folder = mkdtempSync(join(tmpdir(), "presets-"));
    const file = join(folder, "chancery.yaml");
    writeFileSync(
      file,
      `chancery: { port: 9000 }
define: [&who google]
oidc-issuers:
  https://accounts.google.com: { preset: *who, client-id: 0123, contact: dev@example.com }
`,
    );
    const { out, err } = await chancery(["presets", "--config", file]);
    rmSync(folder, { recursive: true });
    expect(err).toBe("");
    expect(out).not.toMatch(/chancery|preset/);
    expect(out).toContain("client-id: 0123\n");
    expect(out).toContain("type: email\n");
  });
});
