import { type ChanceryProcess, needClients, startChancery } from "@chancery/testing";
import axe, { type AxeResults } from "axe-core";
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
      { name: "edge", ...failing, what: "the same leaf" },
      { name: "tiles", ...failing, meaning: "A disk is damaged." },
    ];
    const alarms = [{ id: "1", since: "2026-01-01T00:00:00Z", severity: "critical", check: "leaves", ...told }];
    await page.route("**/api/chancery/v1/audit", (route) =>
      route.fulfill({ json: { auditor: "running", logs: [], checks, alarms, canary: { failures: 0 } } }),
    );
    await page.goto("/health");
    const lines = page.locator(".checks p");
    await lines.first().waitFor();
    expect(await lines.allInnerTexts()).toEqual([
      "a leaf is another\nAn alarm above says what it means and what to do.",
      "the same leaf\nAn alarm above says what it means and what to do.",
      "a leaf is another\nA disk is damaged.\nKeep a copy.",
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
    for (const path of [
      "/",
      "/search",
      "/logs",
      "/logs/rekor",
      "/issuance",
      "/issuance?serial=01",
      "/identities?san=a%40example.com",
    ]) {
      await page.goto(path);
      const banner = page.getByRole("alert").filter({ hasText: "1 critical alarm and 1 warning open" });
      await banner.getByText("The worst: often").waitFor();
      expect(await banner.getByRole("link", { name: "See all 2, and what to do" }).getAttribute("href")).toBe(
        "/health",
      );
    }
    expect(own.wrongs).toEqual([]);
  });

  test("many alarms of one trouble say once what it means and what to do", async () => {
    await using own = await openPage(browser, stack.url);
    const { page } = own;
    const since = "2026-01-01T00:00:00Z";
    const changed = {
      severity: "critical",
      trouble: "changed-entry",
      since,
      meaning: "It is changed.",
      remedy: "Mend it.",
    };
    const entries = Array.from({ length: 12 }, (_, at) => ({
      ...changed,
      id: `e${at}`,
      check: `entries of log ${at % 2}`,
      what: `entry ${at} is another`,
      evidence: `/data/evidence/e${at}.json`,
    }));
    const other = {
      ...changed,
      id: "o",
      trouble: "fork",
      check: "c",
      what: "two roots",
      meaning: "A fork.",
      remedy: "Freeze.",
    };
    const alarms = [...entries, other, { ...other, id: "w", severity: "warning", what: "a warning" }];
    await page.route("**/api/chancery/v1/audit", (route) =>
      route.fulfill({ json: { auditor: "running", logs: [], checks: [], alarms, canary: { failures: 0 } } }),
    );
    await page.goto("/health");
    const group = page.getByRole("alert").filter({ hasText: "critical: 12 alarms of one kind, changed-entry" });
    await group.waitFor();
    for (const text of ["It is changed.", "Mend it."]) expect(await page.getByText(text).count()).toBe(1);
    expect(await page.getByRole("alert").count()).toBe(2);
    expect(
      await group
        .getByText(/^entry \d+ is another$/)
        .filter({ visible: true })
        .count(),
    ).toBe(3);
    // Without a mouse.
    await group.getByText("9 more of this kind").focus();
    await page.keyboard.press("Enter");
    const last = group.getByRole("listitem").filter({ hasText: "entry 11 is another" });
    await last.waitFor();
    expect(await last.getByRole("link", { name: "look at it" }).getAttribute("href")).toBe(
      "/api/chancery/v1/audit/evidence/e11.json",
    );
    await page.evaluate(axe.source);
    expect((await page.evaluate<AxeResults>("axe.run(document)")).violations.map(({ id }) => id)).toEqual([]);
    await page.goto("/");
    await page.getByText("The auditor has 13 critical alarms and 1 warning open").waitFor();
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
