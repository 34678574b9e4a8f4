import { type ChanceryProcess, needClients, startChancery } from "@chancery/testing";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, openPage } from "../explorer/browser.ts";

const { missing, reason } = needClients("chromium");

/** What the health page makes of an auditor's answer, whatever it says. */
describe.skipIf(missing)(`what the auditor found, in Chromium${reason}`, () => {
  let stack: ChanceryProcess;
  let browser: Browser;

  beforeAll(async () => {
    [stack, browser] = await Promise.all([startChancery(), launchBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await stack?.[Symbol.asyncDispose]();
  });

  test("a failing check says each thing in a line of its own, and what its alarm says only once", async () => {
    await using own = await openPage(browser, stack.url);
    const { page } = own;
    const told = { what: "a leaf is another", meaning: "Somebody wrote to it.", remedy: "Keep a copy." };
    const failing = { state: "failing", ...told };
    const checks = [
      { name: "leaves", ...failing },
      { name: "tiles", ...failing },
    ];
    const alarms = [{ id: "1", since: "2026-01-01T00:00:00Z", severity: "critical", check: "leaves", ...told }];
    await page.route("**/api/chancery/v1/audit", (route) =>
      route.fulfill({ json: { auditor: "running", logs: [], checks, alarms, canary: { failures: 0 } } }),
    );
    await page.goto("/health");
    const lines = page.locator(".checks p");
    await lines.first().waitFor();
    expect(await lines.allInnerTexts()).toEqual([
      "a leaf is another\nIts alarm above says what it means and what to do.",
      "a leaf is another\nSomebody wrote to it.\nKeep a copy.",
    ]);
    expect(own.wrongs).toEqual([]);
  });

  test("an alarm that comes and goes says how often and since when it is quiet, one that is over why, and the worst comes first", async () => {
    await using own = await openPage(browser, stack.url);
    const { page } = own;
    const since = "2026-01-01T00:00:00Z";
    const told = { check: "c", since, meaning: "m", remedy: "r" };
    const often = { id: "1", severity: "critical", ...told, what: "often", again: "2026-01-02T00:00:00Z", times: 22 };
    const over = {
      id: "3",
      severity: "critical",
      ...told,
      what: "over",
      resolved: since,
      reason: "an operator settled it",
    };
    const alarms = [
      { id: "2", severity: "warning", ...told, what: "a warning" },
      { ...often, quietSince: "2026-01-03T00:00:00Z" },
      over,
    ];
    await page.route("**/api/chancery/v1/audit", (route) =>
      route.fulfill({ json: { auditor: "running", logs: [], checks: [], alarms, canary: { failures: 0 } } }),
    );
    await page.goto("/health");
    await page.getByText("critical: c, quiet now").waitFor();
    const shown = await page.locator("main").innerText();
    expect(shown).toMatch(/quiet now\s+often\s+Since\s+2026-01-01[^]*Came back\s+2026-01-02 .*, for the 22nd time/);
    expect(shown).toMatch(
      /Not seen since\s+2026-01-03 .*: what came so often is over when it stays away for ten minutes/,
    );
    expect(shown.indexOf("often")).toBeLessThan(shown.indexOf("a warning"));
    await page.locator("summary", { hasText: "over" }).click();
    await page.getByText("an operator settled it").waitFor();
    // Whoever looks something up is told, wherever they do.
    for (const path of ["/", "/search", "/logs", "/logs/rekor", "/issuance", "/identities?san=a%40example.com"]) {
      await page.goto(path);
      await page.getByText("The auditor has 2 open alarms").waitFor();
      await page.getByText("often").waitFor();
    }
    expect(own.wrongs).toEqual([]);
  });

  test("an auditor that stands still is not green on the health page", async () => {
    await using own = await openPage(browser, stack.url);
    const { page } = own;
    const checks = [{ name: "leaves", state: "passed", what: "x" }];
    let lastPass = "2026-01-01T00:00:00Z";
    await page.route("**/api/chancery/v1/audit", (route) =>
      route.fulfill({ json: { auditor: "running", lastPass, logs: [], checks, alarms: [], canary: { failures: 0 } } }),
    );
    await page.goto("/health");
    await page.getByText("The auditor stands still").waitFor();
    expect(await page.getByText("nothing to complain about").count()).toBe(0);
    lastPass = new Date().toISOString();
    await page.reload();
    await page.getByText("The auditor has nothing to complain about").waitFor();
    expect(own.wrongs).toEqual([]);
  });
});
