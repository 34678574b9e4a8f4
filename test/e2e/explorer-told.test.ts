import { needClients } from "@chancery/testing";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, openPage } from "../explorer/browser.ts";
import { olderBundle } from "../explorer/older-bundle.ts";
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
    for (const [path, shown] of [
      ["/", 8],
      ["/search", 3],
      ["/identities?san=release%40example.com", 3],
    ] as const) {
      await page.goto(path);
      await page.getByText(`These are the newest ${shown}, not all`).waitFor();
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
    await page.getByText("The auditor has 1 critical alarm open").waitFor();
    expect(asked).toBe(1);
    await page.getByRole("link", { name: "See what it found" }).click();
    await page.waitForURL("**/health");
    expect(own.wrongs).toEqual([]);
  });

  test("a pasted link leads to its entry, and a digest says what it cannot find of an image", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    await page.goto("/");
    await page.getByRole("searchbox").fill(`${world.stack.url}/api/v1/log/entries?logIndex=0`);
    await page.getByText("Understood as a log index.").waitFor();
    await page.goto(`/search?q=${encodeURIComponent(`${world.stack.url}/entries/rekor-v2/1`)}`);
    await page.waitForURL("**/entries/rekor-v2/1");
    await page.getByText("the timestamp that it needs is in the client's own alone").waitFor();
    await page.goto(`/search?q=sha256:${"0".repeat(64)}`);
    await page.getByText("What cosign 2 signed of an image is found by its name as well").waitFor();
    await page.goto(`/search?q=${encodeURIComponent("registry.example.com/app:1.2")}`);
    await page.getByText("docker buildx imagetools inspect").waitFor();
    expect(own.wrongs).toEqual([]);
  });

  test("a link to another host's entry opens none of these logs, and offers to look for the same bytes", async () => {
    const [entry] = await entries("log=rekor-v2");
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    await page.goto(`/search?q=${encodeURIComponent("https://log.example.com/entries/rekor-v2/1")}`);
    await page.getByText("This is a link to an entry of log.example.com").waitFor();
    await page.getByText("The entry of that index here is another one").first().waitFor();
    await page.goto(`/search?q=${encodeURIComponent(`https://log.example.com/entries/rekor-v2/${entry?.entryId}`)}`);
    await page.getByText("This is a link to an entry of log.example.com").waitFor();
    await page.waitForLoadState("networkidle");
    expect(new URL(page.url()).pathname).toBe("/search");
    await page.getByRole("button", { name: "the same entry in these logs, by its hash" }).click();
    await page.waitForURL(`**/entries/rekor-v2/${entry?.entryId}`);
    expect(own.wrongs).toEqual([]);
  });

  test("a certificate whose row in the ledger says something else is shown as such, in the list and by itself", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    const changes = { contradicts: "issuer", issuer: "https://other.example.com", wouldRefuse: "rule x" };
    await page.route("**/api/chancery/v1/certificates*", async (route) => {
      const { results } = (await (await route.fetch()).json()) as { results: object[] };
      await route.fulfill({ json: { results: results.map((one) => Object.assign(one, changes)) } });
    });
    await page.route("**/api/chancery/v1/certificates/*", async (route) =>
      route.fulfill({ json: { ...((await (await route.fetch()).json()) as object), ...changes } }),
    );
    await page.goto("/issuance");
    await page.getByText("another issuer than the certificate").first().waitFor();
    await page.locator(".hash.short").first().click();
    await page.getByText("The ledger says something else than this certificate").waitFor();
    await page.getByText("The row's issuer https://other.example.com is not the certificate's").waitFor();
    await page.getByText("A policy in dry run would have refused it").waitFor();
    expect(own.wrongs).toEqual([]);
  });

  test("a log of several trees is told with the entries of all, not of the newest alone", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    await page.route("**/api/chancery/v1/logs", async (route) => {
      const logs = (await (await route.fetch()).json()) as { log: string; origin: string; size: string }[];
      const older = { origin: "older - 1", size: "1200", root: "00", first: "0" };
      for (const log of logs)
        if (log.log === "rekor") Object.assign(log, { shards: [older, { ...log, first: "1200" }] });
      await route.fulfill({ json: logs });
    });
    const newest = (await entries("log=rekor&limit=500")).length;
    await page.goto("/");
    await page.getByText(`1,${newest + 200}signatures`).waitFor();
    for (const path of ["/logs", "/logs/rekor"]) {
      await page.goto(path);
      await page.getByText(/1,2\d\d\s+in 2 trees, \d+ of them in the newest/).waitFor();
    }
    expect(own.wrongs).toEqual([]);
  });

  test("finds a certificate by its serial number, and says what was tried before", async () => {
    const issued = await fetch(`${world.stack.url}/api/chancery/v1/certificates?limit=1`);
    const [first] = ((await issued.json()) as { results: { serial: string }[] }).results;
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    await page.goto(`/search?q=${first?.serial}`);
    await page.waitForURL("**/issuance?serial=*");
    await page.getByRole("heading", { name: "The certificate" }).waitFor();
    expect(await page.getByText("its step says").count()).toBe(0);
    const address = page.url();
    await page.goto("/");
    await page.getByRole("searchbox").fill(address);
    await page.getByText("Understood as a link to a page of these.").waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(address);
    await page.goto("/search?q=nobody%40example.com");
    await page.getByText("Nothing is found as an e-mail address, as a name that begins like this").waitFor();
    await page.getByText("Found as anyone at example.com").waitFor();
    expect(own.wrongs).toEqual([]);
  });

  test("the first page leaves out the auditor's canaries, says how many, and shows them on demand", async () => {
    await signFile(world.stack, Buffer.from("canary"), { email: "auditor@chancery.example" });
    const answer = await fetch(`${world.stack.url}/api/chancery/v1/search?san=auditor%40chancery.example`);
    const { results } = (await answer.json()) as { results: { signers: { keyFingerprint: string }[] }[] };
    const keys = results.flatMap(({ signers }) => signers.map(({ keyFingerprint }) => keyFingerprint.slice(0, 32)));
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    const canary = page.locator(".rows").getByText("auditor@chancery.example");
    // No auditor runs here that would own up to it: it is somebody in the auditor's name.
    await page.goto("/");
    await canary.first().waitFor();
    expect(await page.getByRole("checkbox").count()).toBe(0);
    await page.route("**/api/chancery/v1/audit/canary-keys", (route) => route.fulfill({ json: { keys } }));
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

  test("an account without a role is told so on a page, and can sign out without being sent to the login", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    let isSignedIn = true;
    await page.route("**/api/chancery/v1/**", (route) =>
      route.fulfill({ status: 403, json: { code: "x", message: "y" } }),
    );
    await page.route("**/api/chancery/v1/session", async (route) => {
      if (route.request().method() === "DELETE") isSignedIn = false;
      const who = isSignedIn ? { name: "new@example.com", roles: [] } : {};
      await route.fulfill({ json: { required: true, loginUrl: "/auth/login", ...who } });
    });
    await page.goto("/logs");
    await page.getByRole("heading", { name: "Your account has no role here" }).waitFor();
    await page.getByText(/You are signed in as\s+new@example.com, whose account has no role here/).waitFor();
    await page.getByRole("main").getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "You are signed out" }).waitFor();
    const signIn = page.getByRole("main").getByRole("link", { name: "Sign in" });
    expect(await signIn.getAttribute("href")).toBe("/auth/login?return=%2F");
    expect(own.wrongs).toEqual([]);
  });

  test("issuance is in the menu of those who may see it", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    const menu = page.getByRole("navigation");
    for (const [roles, count] of [
      [["reader"], 0],
      [["reader", "auditor"], 1],
    ] as const) {
      await page.route("**/v1/session", (route) => route.fulfill({ json: { required: true, name: "a", roles } }));
      await page.goto("/logs");
      await page.getByRole("button", { name: "Sign out" }).waitFor();
      expect([roles, await menu.getByRole("link", { name: "Issuance" }).count()]).toEqual([roles, count]);
    }
    expect(own.wrongs).toEqual([]);
  });

  test("an unknown path is a page with the status 404", async () => {
    await using own = await openPage(browser, world.stack.url);
    const answer = await own.page.goto("/no/such/page");
    expect(answer?.status()).toBe(404);
    await own.page.getByRole("heading", { name: "There is no such page" }).waitFor();
    expect(own.wrongs).toEqual([]);
  });

  test("a file that is dropped anywhere is taken, a bundle to its check", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    const drop = (name: string, text: string) =>
      page.evaluate(
        `(() => {
          const data = new DataTransfer();
          data.items.add(new File([${JSON.stringify(text)}], ${JSON.stringify(name)}));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        })()`,
      );
    await page.goto("/logs");
    await drop("a.txt", world.file.toString());
    await page.waitForURL("**/search?q=sha256*");
    await page.getByRole("heading", { name: "2 entries" }).waitFor();
    await drop("a.sigstore.json", JSON.stringify(world.bundles.v1));
    await page.waitForURL("**/check");
    await page.getByText("Checked in your browser").waitFor();
    await drop("b.sigstore.json", JSON.stringify({ ...world.bundles.v2, mediaType: world.bundles.v2.mediaType }));
    await page.getByText("b.sigstore.json").waitFor();
    await drop("a.txt", world.file.toString());
    await page.getByText("This is no bundle: drop the signed file on its field.").waitFor();
    expect(own.wrongs).toEqual([]);
  });

  test("cosign 2's older bundle is checked with the proof of its entry, and is red where it was changed", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    const drop = async (old: object) => {
      await page.goto("/check");
      const buffer = Buffer.from(JSON.stringify(old));
      await page.getByLabel(/^Bundle/).setInputFiles({ name: "a.bundle", mimeType: "application/json", buffer });
    };
    const old = olderBundle(world.bundles.v1);
    await drop(old);
    await page.getByText("Checked in your browser").waitFor();
    await page.getByText("It is of cosign's older format").waitFor();
    for (const step of ["path", "log-signature", "promise", "bundle-entry", "bundle-signature", "certificate"]) {
      expect([step, await page.locator(`[data-step=${step}]`).getAttribute("data-state")]).toEqual([step, "passed"]);
    }
    const { rekorBundle } = old;
    const Payload = { ...rekorBundle.Payload, integratedTime: rekorBundle.Payload.integratedTime - 1 };
    await drop({ ...old, rekorBundle: { ...rekorBundle, Payload } });
    await page.locator("[data-step=promise][data-state=failed]").waitFor();
    await drop({ ...old, base64Signature: "AAAA" });
    await page.getByText("Do not believe this bundle").waitFor();
    expect(own.wrongs).toEqual([]);
  });

  test("keeps the authorities of a whole trusted root, tells the logs apart, and then another authority is red", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    const root = await (await fetch(`${world.stack.url}/trust/trusted_root.json`)).text();
    await page.goto("/keys");
    for (const name of ["rekor", "rekor-v2"]) await page.getByText(name, { exact: true }).first().waitFor();
    await page.getByLabel(/public key/).fill(root);
    await page.getByRole("button", { name: "Trust it in this browser" }).click();
    await page.getByText("put in by you").first().waitFor();
    const yours = page.getByRole("region", { name: "Yours" });
    expect(await yours.getByText("Certificate authority").count()).toBe(1);
    const [entry] = await entries("log=rekor&kind=hashedrekord");
    await page.goto(`/entries/rekor/${entry?.entryId}`);
    await page.getByText("Checked in your browser").waitFor();
    expect(await page.getByText("came from this server").count()).toBe(0);
    expect(await page.locator("[data-step=certificate]").getAttribute("data-state")).toBe("passed");
    await page.evaluate(
      `localStorage.setItem("chancery.authorities", localStorage.getItem("chancery.timestamp-authorities"))`,
    );
    await page.reload();
    await page.getByText("Do not believe who signed this entry").waitFor();
    expect(own.wrongs).toEqual([]);
  });

  test("on a phone the menu is whole, a row's time and log are one line, and no table is wider than the window", async () => {
    await using own = await openPage(browser, world.stack.url, { viewport: { width: 390, height: 844 } });
    const { page } = own;
    await page.goto("/");
    await page.locator(".found").first().waitFor();
    const boxes = await Promise.all((await page.locator("nav a").all()).map((link) => link.boundingBox()));
    expect(boxes.length).toBeGreaterThan(5);
    for (const box of boxes) expect((box?.x ?? 0) + (box?.width ?? 999)).toBeLessThanOrEqual(390);
    const row = page.locator(".found").first();
    const [when, where] = [await row.locator(".when").boundingBox(), await row.locator(".where").boundingBox()];
    expect(Math.abs((when?.y ?? 0) - (where?.y ?? 99))).toBeLessThan(8);
    await page.goto("/issuance");
    await page.getByRole("heading", { name: "Newest certificates" }).waitFor();
    await page.locator("table.stacked").first().waitFor();
    for (const table of await page.locator("table").all()) {
      const box = await table.boundingBox();
      if (box !== null) expect(box.x + box.width).toBeLessThanOrEqual(390);
    }
    expect(own.wrongs).toEqual([]);
  });

  test("an attestation of which the log keeps a digest alone tells what the list tells, by the server's word", async () => {
    await using own = await openPage(browser, world.stack.url);
    const { page } = own;
    const [entry] = await entries("log=rekor-v2&kind=hashedrekord");
    await page.route("**/api/chancery/v1/entries/**", async (route) => {
      const json = (await (await route.fetch()).json()) as { digests: string[] };
      const subject = { name: "registry.example.com/acme/web", digests: [`sha256:${"1".repeat(64)}`] };
      const attestation = { predicateType: "https://slsa.dev/provenance/v1", subjects: [subject] };
      await route.fulfill({ json: { ...json, attestation, digests: [...json.digests, ...subject.digests] } });
    });
    await page.goto(`/entries/rekor-v2/${entry?.entryId}`);
    await page.getByText("Checked, with a doubt").waitFor();
    await page.getByRole("heading", { name: "Attestation: SLSA provenance" }).waitFor();
    const told = page.getByRole("region", { name: "Attestation: SLSA provenance" });
    await told.getByText("registry.example.com/acme/web").waitFor();
    await told.getByText(`sha256:${"1".repeat(64)}`).waitFor();
    await told.getByText("By this server's word").waitFor();
    await page.getByText("Found by as well").waitFor();
    await page.getByText(/signed an attestation \(SLSA provenance\) about registry.example.com\/acme\/web/).waitFor();
    expect(own.wrongs).toEqual([]);
  });
});
