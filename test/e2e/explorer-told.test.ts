import { needClients } from "@chancery/testing";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, openPage } from "../explorer/browser.ts";
import { signFile } from "../explorer/signatures.ts";
import { type ExplorerWorld, explorerWorld } from "../explorer/world.ts";

const { missing, reason } = needClients("chromium");

/** Each is named for what somebody who used the pages stumbled over. */
describe.skipIf(missing)(`what a reader is told, in Chromium${reason}`, () => {
  let world: ExplorerWorld;
  let browser: Browser;

  beforeAll(async () => {
    [world, browser] = await Promise.all([explorerWorld(), launchBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await world?.[Symbol.asyncDispose]();
  });

  const entries = async (query: string) => {
    const answer = await fetch(`${world.stack.url}/api/chancery/v1/search?${query}`);
    return ((await answer.json()) as { results: { log: string; logIndex: string; entryId: string }[] }).results;
  };

  test("does not vouch for a file whose bundle carries the log entry of another", async () => {
    const other = await signFile(world.stack, Buffer.from("other"), { log: 2 });
    const material = { ...world.bundles.v2.verificationMaterial, tlogEntries: other.verificationMaterial.tlogEntries };
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    await page.goto("/check");
    const buffer = Buffer.from(JSON.stringify({ ...world.bundles.v2, verificationMaterial: material }));
    await page.getByLabel(/^Bundle/).setInputFiles({ name: "a.sigstore.json", mimeType: "application/json", buffer });
    await page.getByText("Do not believe this bundle").waitFor();
    expect(await page.locator("[data-step=bundle-entry]").getAttribute("data-state")).toBe("failed");
    expect(await page.getByText("Is it this file?").count()).toBe(0);
    expect(own.wrongs).toEqual([]);
  });

  test("says that nothing else is there only where all is shown", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    const whole = page.getByText("is not in those trees");
    await page.goto("/");
    await whole.waitFor();
    await page.goto("/search");
    await whole.waitFor();
    await page.route("**/api/chancery/v1/search?*", async (route) => {
      const complete = [{ log: "rekor", origin: "a", size: "99", root: "00" }];
      await route.fulfill({ json: { results: await entries("limit=3"), complete, cursor: "next" } });
    });
    for (const path of ["/", "/search", "/identities?san=release%40example.com"]) {
      await page.goto(path);
      await page.getByText(/These are the newest 3, not all/).waitFor();
      expect([path, await whole.count()]).toEqual([path, 0]);
    }
    expect(own.wrongs).toEqual([]);
  });

  test("says on the pages that are looked at that the auditor has an open alarm, asking it once", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    let asked = 0;
    await page.route("**/api/chancery/v1/audit", async (route) => {
      asked += 1;
      const alarm = {
        id: "1",
        since: "2026-01-01T00:00:00Z",
        severity: "critical",
        check: "c",
        meaning: "m",
        remedy: "r",
      };
      const alarms = [
        { ...alarm, what: "the log forgot an entry" },
        { ...alarm, id: "2", what: "x", resolved: alarm.since },
      ];
      await route.fulfill({ json: { auditor: "running", logs: [], checks: [], alarms, canary: { failures: 0 } } });
    });
    await page.goto("/");
    await page.getByRole("alert").getByText("the log forgot an entry").waitFor();
    await page.getByRole("link", { name: "Search", exact: true }).click();
    await page.getByText("The auditor has an open alarm").waitFor();
    expect(asked).toBe(1);
    await page.getByRole("link", { name: "See what it found" }).click();
    await page.waitForURL("**/health");
    expect(own.wrongs).toEqual([]);
  });

  test("finds a certificate by its serial number, and says what was tried before", async () => {
    const issued = await fetch(`${world.stack.url}/api/chancery/v1/certificates?limit=1`);
    const [first] = ((await issued.json()) as { results: { serial: string }[] }).results;
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    await page.goto(`/search?q=${first?.serial}`);
    await page.waitForURL("**/issuance?serial=*");
    await page.getByRole("heading", { name: "Who signed it" }).waitFor();
    await page.goto("/search?q=nobody%40example.com");
    await page.getByText("Nothing is found as an e-mail address, as a name that begins like this").waitFor();
    await page.getByText("Found as anyone at example.com").waitFor();
    expect(own.wrongs).toEqual([]);
  });

  test("the first page leaves out the auditor's canaries, says how many, and shows them on demand", async () => {
    await signFile(world.stack, Buffer.from("canary"), { email: "auditor@chancery.example" });
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    const canary = page.locator(".rows").getByText("auditor@chancery.example");
    await page.goto("/");
    await page.getByText("without the auditor's canaries (1 left out)").waitFor();
    expect(await canary.count()).toBe(0);
    expect(await page.getByText("is not in those trees").count()).toBe(0);
    await page.getByRole("checkbox").uncheck();
    await canary.first().waitFor();
    await page.goto("/search");
    await canary.first().waitFor();
    await page.getByRole("checkbox", { name: /without the auditor's canaries/ }).check();
    await canary.first().waitFor({ state: "detached" });
    await page.goto("/issuance");
    await page.getByText("the auditor's canary").first().waitFor();
    expect(own.wrongs).toEqual([]);
  });
});
