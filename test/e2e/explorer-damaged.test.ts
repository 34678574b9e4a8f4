import { join } from "node:path";
import { needClients } from "@chancery/testing";
import { Database, runningEmbedded } from "@chancery/postgres";
import axe, { type AxeResults } from "axe-core";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, openPage } from "../explorer/browser.ts";
import { type ExplorerWorld, explorerWorld } from "../explorer/world.ts";

const { missing, reason } = needClients("chromium");

/** Rows are changed as the database's owner can, under a running stack whose auditor looks at them. */
describe.skipIf(missing)(`entries whose rows were changed, in Chromium${reason}`, () => {
  let world: ExplorerWorld;
  let browser: Browser;
  let owner: Database;

  beforeAll(async () => {
    [world, browser] = await Promise.all([explorerWorld({ auditor: "on" }), launchBrowser()]);
    owner = await Database.open((await runningEmbedded(join(world.stack.data, "postgres")))!, { max: 1 });
  });
  afterAll(async () => {
    await browser?.close();
    await owner?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  async function change(sql: string, ...parameters: readonly unknown[]): Promise<void> {
    await owner.transaction(async (tx) => {
      await tx.query("SET LOCAL session_replication_role = replica");
      await tx.query(sql, parameters);
    });
  }

  const entryId = async (log: string, index: number) => {
    const answer = await fetch(`${world.stack.url}/api/chancery/v1/entries/${log}/${index}`);
    return ((await answer.json()) as { entryId: string }).entryId;
  };

  const ENTRY = "FROM log.log l WHERE l.id = e.log AND l.name = $1 AND e.index = $2";
  const FLIPPED = `UPDATE log.entry e SET leaf = set_byte(leaf, 90, get_byte(leaf, 90) # 1) ${ENTRY}`;

  test("a changed row reads as a change and not as an outage, and the page has the auditor's alarm", async () => {
    const ids = { rekor: await entryId("rekor", 1), "rekor-v2": await entryId("rekor-v2", 0) };
    for (const [log, index] of [
      ["rekor", 1],
      ["rekor-v2", 0],
    ] as const) {
      await change(FLIPPED, log, index);
      await using own = await openPage(browser, world.stack.url);
      const { page } = own;
      const leafHash = ids[log].slice(-64);
      for (const name of [String(index), ids[log], leafHash]) {
        await page.goto(`/entries/${log}/${name}`);
        const notice = page.getByRole("alert").filter({ hasText: "What is stored is not what was logged" });
        await notice.waitFor();
        await notice
          .getByText(`the stored entry ${index} is not the one in its tree: the leaf hash there is`)
          .waitFor();
        await notice.getByText(leafHash).waitFor();
        expect(await page.getByText("does not answer").count()).toBe(0);
      }
      // An alarm is told within seconds of an entry that is among the newest.
      const banners = async () => {
        await page.reload();
        await page.getByText("What is stored is not what was logged").waitFor();
        await page.waitForLoadState("networkidle");
        return await page.getByText(/^The auditor has .* open/).count();
      };
      await expect.poll(banners, { timeout: 60_000 }).toBe(1);
      await page.evaluate(axe.source);
      expect((await page.evaluate<AxeResults>("axe.run(document)")).violations.map(({ id }) => id)).toEqual([]);
      expect(own.wrongs).toEqual([]);
      await change(FLIPPED, log, index);
      await page.goto(`/entries/${log}/${index}`);
      await page.getByText("The proof, step by step").waitFor();
    }
  });
});
