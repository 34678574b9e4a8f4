import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ClientHome, clientHome, needClients } from "@chancery/testing";
import axe, { type AxeResults } from "axe-core";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, openPage, type WatchedPage } from "../explorer/browser.ts";
import { type ExplorerWorld, explorerWorld } from "../explorer/world.ts";

const ASSETS = join(import.meta.dirname, "../../services/explorer/dist/site/assets");

test("all script together is no more than 250 kB compressed", () => {
  const scripts = readdirSync(ASSETS).filter((name) => name.endsWith(".js.gz"));
  expect(scripts.length).toBeGreaterThan(0);
  const bytes = scripts.reduce((sum, name) => sum + statSync(join(ASSETS, name)).size, 0);
  expect(bytes).toBeLessThan(250_000);
});

const { missing, reason } = needClients("chromium");

describe.skipIf(missing)(`the explorer in Chromium${reason}`, () => {
  let world: ExplorerWorld;
  let browser: Browser;
  let watched: WatchedPage;

  beforeAll(async () => {
    [world, browser] = await Promise.all([explorerWorld(), launchBrowser()]);
    watched = await openPage(browser, world.stack.url);
  });
  afterAll(async () => {
    await browser?.close();
    await world?.[Symbol.asyncDispose]();
  });

  /** Opens a path; the heading is there, nothing went wrong, nothing is wider than the window. */
  const open = async (path: string) => {
    const { page } = watched;
    await page.goto(path);
    await page.locator("h1").waitFor();
    return page;
  };
  const settled = async () => {
    expect(await watched.page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
    expect(watched.wrongs).toEqual([]);
  };
  const entries = async (query: string) => {
    const answer = await fetch(`${world.stack.url}/api/chancery/v1/search?${query}`);
    return ((await answer.json()) as { results: { log: string; logIndex: string; entryId: string }[] }).results;
  };
  const digest = () => createHash("sha256").update(world.file).digest("hex");

  test("opens with the newest entries, what they are complete to, and how one signs here", async () => {
    const page = await open("/");
    await page.getByText("Complete up to").waitFor();
    expect(await page.locator(".found").count()).toBe(7);
    await page.getByText("anyone on this machine can be anyone").waitFor();
    await page.getByRole("link", { name: "How to sign" }).click();
    await page.getByRole("heading", { name: "Sign and verify with cosign 3" }).waitFor();
    expect(await page.locator("pre").first().innerText()).toContain(
      `cosign initialize --mirror ${world.stack.url}/tuf`,
    );
    expect(await page.evaluate("document.activeElement.tagName")).toBe("H1");
    await settled();
  });

  test("finds a file by its digest in both logs, says what it understood, and the address is the query", async () => {
    const page = await open("/");
    await page.getByRole("searchbox").fill(`sha256:${digest()}`);
    await page.getByText("Understood as a digest.").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "2 entries" }).waitFor();
    expect(new URL(page.url()).searchParams.get("q")).toBe(`sha256:${digest()}`);
    await page.reload();
    await page.getByRole("heading", { name: "2 entries" }).waitFor();
    await page.goBack();
    await page.getByRole("heading", { name: "Who signed what, and when" }).waitFor();
    await settled();
  });

  test("hashes a dropped file here and searches its digest", async () => {
    const page = await open("/search");
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "File …" }).click();
    await (await chooser).setFiles({ name: "file.bin", mimeType: "application/octet-stream", buffer: world.file });
    await page.getByRole("heading", { name: "2 entries" }).waitFor();
    expect(new URL(page.url()).searchParams.get("q")).toBe(`sha256:${digest()}`);
    await settled();
  });

  test("narrows by filters, and an empty answer says up to where it is complete", async () => {
    const page = await open("/search?q=release%40example.com");
    await page.getByRole("heading", { name: "5 entries" }).waitFor();
    await page.getByText("Filters", { exact: true }).click();
    await page.getByLabel("Kind").selectOption("intoto");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.getByRole("heading", { name: "3 entries" }).waitFor();
    expect(new URL(page.url()).searchParams.get("kind")).toBe("intoto");
    // Whoever uses the keyboard is at the answer, and not at the beginning of the page; the form is out of its way.
    expect(await page.evaluate("document.activeElement.tagName")).toBe("H1");
    await page.getByText("Filters: Kind intoto").waitFor();
    expect(await page.getByLabel("Kind").isVisible()).toBe(false);
    await page.getByRole("link", { name: "Without filters" }).click();
    await page.getByRole("heading", { name: "5 entries" }).waitFor();
    await open("/search?q=nobody%40nowhere.example");
    await page.getByRole("heading", { name: "Nothing found" }).waitFor();
    expect(await page.locator("[data-complete]").innerText()).toMatch(
      /Complete up to 4 entries of rekor and 3 entries of rekor-v2/,
    );
    await settled();
  });

  test("looks further where a page was empty and not the last, and says what is not in the index", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    const tree = { log: "rekor", origin: "a", size: "9", root: "00" };
    await page.route("**/api/chancery/v1/search?*", async (route) => {
      const isFirst = !route.request().url().includes("cursor=");
      const incomplete = [{ ...tree, unindexed: "5", remedy: "chancery index rebuild" }];
      const results = isFirst ? [] : await entries("limit=1");
      await route.fulfill({ json: { results, complete: [tree], ...(isFirst ? { cursor: "next" } : { incomplete }) } });
    });
    await page.goto("/search?q=someone%40example.com");
    await page.getByRole("heading", { name: "0 entries so far" }).waitFor();
    await page.getByRole("button", { name: "Look further" }).click();
    await page.getByRole("heading", { name: "One entry" }).waitFor();
    await page.getByText("Not in the index yet, and so not found here: 5 older entries.").waitFor();
    expect(own.wrongs).toEqual([]);
  });

  test("goes from an index to the entry, and says where there are two", async () => {
    const page = await open("/search?q=rekor-v2%200");
    await page.waitForURL("**/entries/rekor-v2/0");
    await open("/search?q=0");
    await page.getByRole("heading", { name: "In both logs" }).waitFor();
    await open("/search?q=999999");
    await page.getByText("There is no such thing here").waitFor();
    await settled();
  });

  test("checks an entry of either log from its bytes to the log's signature", async () => {
    const { page } = watched;
    // Of the v2 log no time is signed, so whether the certificate was valid stays a doubt.
    for (const [query, verdict, unchecked, held] of [
      ["log=rekor", "Checked in your browser", ["attestation"], 9],
      ["log=rekor-v2", "Checked, with a doubt", ["promise", "attestation"], 7],
    ] as const) {
      const [entry] = await entries(`${query}&digest=sha256:${digest()}`);
      await page.goto(`/entries/${entry?.log}/${entry?.entryId}`);
      await page.getByText(verdict).waitFor();
      expect(await page.locator("[data-state=passed]").count()).toBe(held);
      expect(await page.locator("[data-state=doubtful][data-step=certificate]").count()).toBe(
        query === "log=rekor" ? 0 : 1,
      );
      const left = page.locator("[data-state=open]");
      expect(await left.evaluateAll((steps) => steps.map((step) => step.getAttribute("data-step")))).toEqual(unchecked);
      await page.getByRole("heading", { name: "release@example.com" }).waitFor();
      await page.getByText(`sha256:${digest()}`).first().waitFor();
    }
    await settled();
  });

  test.for([
    ["slsa.dev", "SLSA provenance", "https://git.example.com/acme/payments"],
    ["spdx.dev", "Bill of materials, SPDX", "Tool: syft-1.9.0, Organization: Acme"],
    ["cyclonedx.org", "Bill of materials, CycloneDX", "cdxgen 11.2.0"],
  ] as const)("reads a statement of %s in plain words", async ([type, heading, told]) => {
    const found = await entries("log=rekor&kind=intoto&limit=10");
    const { page } = watched;
    for (const { entryId } of found) {
      await page.goto(`/entries/rekor/${entryId}`);
      await page.getByText("Checked in your browser").waitFor();
      if ((await page.getByText(type).count()) > 0 && (await page.getByRole("heading", { name: heading }).count()) > 0)
        break;
    }
    await page.getByRole("heading", { name: heading }).waitFor();
    await page.getByText("registry.example.com/acme/payments").first().waitFor();
    await page.getByText(told, { exact: true }).first().waitFor();
    expect(await page.locator("[data-state=passed]").count()).toBe(10);
    await settled();
  });

  test("tells all that an identity ever signed", async () => {
    const page = await open("/identities?san=release%40example.com");
    await page.getByRole("heading", { name: "Activity" }).waitFor();
    expect(await page.locator(".figures dd").first().innerText()).toBe("5");
    expect(await page.getByRole("img", { name: "Signatures a day, UTC" }).count()).toBe(1);
    await page.getByText("As a table").click();
    expect(await page.locator("figure tbody tr").count()).toBe(1);
    await settled();
  });

  test("shows each log, its growth and key, with the checkpoint checked here", async () => {
    const page = await open("/logs");
    await page.getByRole("link", { name: /^ctlog\/\d+, its growth and key/ }).click();
    await page.getByText("Checked in your browser").waitFor();
    for (const name of ["rekor", "rekor-v2"]) {
      await open(`/logs/${name}`);
      await page.getByText("Checked in your browser").waitFor();
      await page.getByRole("img", { name: "Entries over the last month, UTC" }).waitFor();
      await page.getByText(/^from \d{4}-\d\d-\d\d .*, without an end$/).waitFor();
    }
    await settled();
  });

  test("shows what was issued and refused", async () => {
    const page = await open("/issuance");
    await page.getByRole("heading", { name: "By identity" }).waitFor();
    await page.getByRole("table").getByText("release@example.com").first().waitFor();
    await page.getByText("token-shape").first().waitFor();
    await settled();
  });

  test("says that nobody audits where nobody does", async () => {
    const page = await open("/health");
    await page.getByText("All services are ready").waitFor();
    await page.getByText("No auditor runs in this process").waitFor();
    await settled();
  });

  test("checks a bundle without asking for its entry, and tells the signed file from another", async () => {
    const page = await open("/check");
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    for (const bundle of [world.bundles.v1, world.bundles.v2]) {
      await open("/check");
      const buffer = Buffer.from(JSON.stringify(bundle));
      await page.getByLabel(/^Bundle/).setInputFiles({ name: "a.sigstore.json", mimeType: "application/json", buffer });
      await page.getByText("Checked in your browser").waitFor();
      const file = page.getByLabel(/^The signed file/);
      await file.setInputFiles({ name: "other", mimeType: "text/plain", buffer: Buffer.from("other") });
      await page.getByText("No: this is another file").waitFor();
      await file.setInputFiles({ name: "file", mimeType: "text/plain", buffer: world.file });
      await page.getByText("Yes: this is the signed file").waitFor();
    }
    expect(asked.filter((path) => path.includes("entries"))).toEqual([]);
    await settled();
  });

  test("keeps a log's key; from then on another key shows red", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    const [v1] = await entries("log=rekor&kind=hashedrekord");
    const [v2] = await entries("log=rekor-v2");
    await page.goto(`/entries/rekor/${v1?.entryId}`);
    await page.getByRole("button", { name: "Keep this log's key" }).click();
    await page.reload();
    await page.getByText("kept since an earlier visit").waitFor();
    await page.goto(`/entries/rekor-v2/${v2?.entryId}`);
    await page.getByText("none of the keys you trust has signed this checkpoint", { exact: false }).first().waitFor();
    await page.goto("/keys");
    await page.getByRole("button", { name: "Forget them all" }).click();
    const pem = await (await fetch(`${world.stack.url}/api/v1/log/publicKey`)).text();
    await page.getByLabel(/public key/).fill(pem);
    await page.getByRole("button", { name: "Trust it in this browser" }).click();
    await page.goto(`/entries/rekor/${v1?.entryId}`);
    await page.getByText("a key that you put into this browser").waitFor();
    expect(own.wrongs).toEqual([]);
  });

  test.for(["light", "dark"] as const)(
    "has nothing that a screen reader stumbles over, nor a faint word, in %s",
    async (colorScheme) => {
      await using own = await openPage(browser, world.stack.url, { colorScheme });
      const [entry] = await entries("log=rekor&kind=intoto");
      const pages = ["/", "/search?q=release%40example.com&kind=intoto", `/entries/rekor/${entry?.entryId}`];
      pages.push(
        "/identities?san=release%40example.com",
        "/logs",
        "/logs/rekor",
        "/issuance",
        "/health",
        "/sign",
        "/check",
        "/keys",
      );
      for (const path of pages) {
        await own.page.goto(path, { waitUntil: "networkidle" });
        await own.page.evaluate(axe.source);
        const { violations } = await own.page.evaluate<AxeResults>("axe.run(document)");
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
        expect([path, ...found]).toEqual([path]);
      }
    },
  );

  test.for(["//evil.example/", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/auth/login"])(
    "sends whoever has to sign in to a path of this server and to no other place: %s",
    async (loginUrl) => {
      await using own = await openPage(browser, world.stack.url);
      await own.page.route("**/api/chancery/v1/**", (route) =>
        route.fulfill({ status: 401, json: { code: "x", message: "y" } }),
      );
      await own.page.route("**/v1/session", (route) => route.fulfill({ json: { required: true, loginUrl } }));
      await own.page.goto("/search?q=a%40example.com");
      await own.page.getByText("You have to sign in").waitFor();
      await own.page.waitForLoadState("networkidle");
      if (loginUrl === "/auth/login") await own.page.getByRole("link", { name: "Sign in" }).first().waitFor();
      const hrefs = await own.page.evaluate<string[]>(`[...document.links].map((link) => link.getAttribute("href"))`);
      const signIn = "/auth/login?return=%2Fsearch%3Fq%3Da%2540example.com";
      expect(hrefs.filter((href) => href.includes("return="))).toEqual(
        loginUrl === "/auth/login" ? [signIn, signIn] : [],
      );
      expect(own.wrongs).toEqual([]);
    },
  );

  test("can be used by keyboard alone", async () => {
    const page = await open("/logs");
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toMatch(/To the content/);
    const names: unknown[] = [];
    for (let at = 0; at < 7; at++) {
      await page.keyboard.press("Tab");
      names.push(await page.evaluate("document.activeElement.textContent.trim()"));
    }
    expect(names).toEqual(["Chancery", "Search", "Logs", "Issuance", "Health", "Check a bundle", "How to sign"]);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "How to sign here" }).waitFor();
    await settled();
  });

  test("is there to be used before the server has answered anything", async () => {
    await using own = await openPage(browser, world.stack.url);
    await own.page.route("**/api/**", () => {});
    await own.page.goto("/", { waitUntil: "commit" });
    await own.page.getByRole("searchbox").fill("dev@example.com");
    await own.page.getByText("Understood as an e-mail address").waitFor();
    expect(own.wrongs).toEqual([]);
  });
});

const cosign = needClients("cosign-3");

describe.skipIf(missing)(`beside an auditor, and with cosign${reason}`, () => {
  let world: ExplorerWorld;
  let browser: Browser;
  let home: ClientHome;
  beforeAll(async () => {
    [world, browser, home] = await Promise.all([explorerWorld({ auditor: "on" }), launchBrowser(), clientHome()]);
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all([world, home].map((part) => part?.[Symbol.asyncDispose]()));
  });

  test.skipIf(cosign.missing)(`the bundle of an entry's page is one that cosign verifies${cosign.reason}`, async () => {
    const { url } = world.stack;
    await using own = await openPage(browser, url);
    const digest = createHash("sha256").update(world.file).digest("hex");
    const answer = await fetch(`${url}/api/chancery/v1/search?log=rekor&digest=sha256:${digest}`);
    const { results } = (await answer.json()) as { results: { entryId: string }[] };
    await own.page.goto(`/entries/rekor/${results[0]?.entryId}`);
    const download = own.page.waitForEvent("download");
    await own.page.getByRole("button", { name: "Download the bundle" }).click();
    const bundle = home.path("entry.sigstore.json");
    await (await download).saveAs(bundle);
    expect(JSON.parse(await readFile(bundle, "utf8"))).toHaveProperty("verificationMaterial");
    await home.run("cosign-3", "initialize", `--mirror=${url}/tuf`, `--root=${url}/tuf/root.json`);
    const identity = ["--certificate-identity=release@example.com", `--certificate-oidc-issuer=${url}/idp`];
    await home.run("cosign-3", "verify-blob", `--bundle=${bundle}`, ...identity, await home.write("file", world.file));
    expect(own.wrongs).toEqual([]);
  });

  test("the health page shows what the auditor found", async () => {
    await using own = await openPage(browser, world.stack.url);
    await own.page.goto("/health");
    await own.page.getByText("All services are ready").waitFor();
    await own.page.getByRole("heading", { name: "Watched logs" }).waitFor();
    // Green is only where every check was made, and the certificates' next round is a minute after its first.
    await own.page.getByText("The auditor has nothing to complain about").waitFor({ timeout: 150_000 });
    await own.page.getByText("The last canary went end to end").waitFor({ timeout: 90_000 });
    await own.page.goto("/");
    await own.page.getByText(/without the auditor's canaries \(\d+ left out\)/).waitFor();
    expect(await own.page.locator(".rows").getByText("auditor@chancery.example").count()).toBe(0);
    expect(own.wrongs).toEqual([]);
  }, 180_000);
});
