import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type ChanceryProcess, type ClientHome, clientHome, needClients, startChancery } from "@chancery/testing";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, openPage } from "../explorer/browser.ts";

const { missing, reason } = needClients("chromium", "cosign-3");

/** Of what cosign 3 attests, an entry of the v2 log has no more than a digest: the statement is in the bundle alone. */
describe.skipIf(missing)(`a bundle that cosign 3 attested, in Chromium${reason}`, () => {
  let stack: ChanceryProcess;
  let browser: Browser;
  let home: ClientHome;
  let bundle: string;

  beforeAll(async () => {
    [stack, browser, home] = await Promise.all([startChancery(), launchBrowser(), clientHome()]);
    const { url } = stack;
    bundle = home.path("attested.sigstore.json");
    const runDetails = { builder: { id: "https://builder.example/1" } };
    const predicate = { buildDefinition: { buildType: "https://builder.example/type" }, runDetails };
    await home.run("cosign-3", "initialize", `--mirror=${url}/tuf`, `--root=${url}/tuf/root.json`);
    await home.run(
      "cosign-3",
      "attest-blob",
      "--yes",
      `--identity-token=${await stack.token()}`,
      "--type=slsaprovenance1",
      `--predicate=${await home.write("predicate.json", JSON.stringify(predicate))}`,
      `--bundle=${bundle}`,
      await home.write("attested", "attested"),
    );
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all([stack, home].map((part) => part?.[Symbol.asyncDispose]()));
  });

  test("says what it states, once it was checked", async () => {
    await using own = await openPage(browser, stack.url);
    const { page } = own;
    await page.goto("/check");
    await page.getByLabel(/^Bundle/).setInputFiles(bundle);
    for (const told of ["SLSA provenance", "https://slsa.dev/provenance/v1", "https://builder.example/1"]) {
      await page.getByText(told).first().waitFor();
    }
    const subject = createHash("sha256").update("attested").digest("hex");
    await page.locator(".subjects").getByText(subject.slice(0, 8)).first().waitFor();
    expect(own.wrongs).toEqual([]);
  });

  test("says nothing of a statement that was put in another's place", async () => {
    await using own = await openPage(browser, stack.url);
    const { page } = own;
    const { dsseEnvelope, ...rest } = JSON.parse(await readFile(bundle, "utf8")) as { dsseEnvelope: object };
    const payload = Buffer.from(JSON.stringify({ predicateType: "https://forged.example" })).toString("base64");
    const buffer = Buffer.from(JSON.stringify({ ...rest, dsseEnvelope: { ...dsseEnvelope, payload } }));
    await page.goto("/check");
    await page.getByLabel(/^Bundle/).setInputFiles({ name: "b.json", mimeType: "application/json", buffer });
    await page.getByText("Do not believe this bundle").waitFor();
    expect(await page.getByText("forged.example").count()).toBe(0);
    expect(own.wrongs).toEqual([]);
  });
});
