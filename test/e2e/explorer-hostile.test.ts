import { needClients } from "@chancery/testing";
import type { Browser, Page, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, openPage, type WatchedPage } from "../explorer/browser.ts";
import { NAUGHTY_STRINGS } from "../explorer/naughty-strings.ts";
import { signStatement } from "../explorer/signatures.ts";
import { type ExplorerWorld, explorerWorld } from "../explorer/world.ts";

const { missing, reason } = needClients("chromium");

type Entry = Record<string, unknown> & {
  inclusionProof: { logIndex: string; treeSize: string; rootHash: string; hashes: string[] };
  body: string;
  checkpoint: string;
  entryId: string;
  signedEntryTimestamp: string;
  integratedTime: number;
};

const answered = (route: Route, json: unknown) => route.fulfill({ json });
const flip = (hex: string) => hex.slice(0, -1) + (Number.parseInt(hex.slice(-1), 16) ^ 1).toString(16);

/** As the API lists one, with this text wherever it has one. */
const namedEntry = (text: string, at: number) => ({
  log: "rekor",
  logIndex: String(at),
  entryId: text,
  time: at % 2 === 0 ? text : "2026-11-21T12:00:00Z",
  kind: text,
  apiVersion: text,
  digests: [text],
  signers: [
    { keyFingerprint: text, algorithm: text, certificate: { sans: [{ type: text, value: text }], issuer: text } },
  ],
  attestation: { predicateType: text, subjects: [{ name: text, digests: [text] }] },
});

describe.skipIf(missing)(`strangers' texts and a server that lies, in Chromium${reason}`, () => {
  let world: ExplorerWorld;
  let browser: Browser;
  let watched: WatchedPage;

  beforeAll(async () => {
    [world, browser] = await Promise.all([explorerWorld(), launchBrowser()]);
    watched = await openPage(browser, world.stack.url, { viewport: { width: 390, height: 844 } });
  });
  afterAll(async () => {
    await browser?.close();
    await world?.[Symbol.asyncDispose]();
  });

  afterEach(async () => {
    await watched.page.unrouteAll();
  });

  const api = (path: string) => `${world.stack.url}/api/chancery/v1/${path}`;

  /** Nothing ran, nothing became markup, no link leads elsewhere than it says, nothing unseen is in what is shown. */
  const harmless = async (page: Page) => {
    const found = await page.evaluate(`(() => {
      const shown = document.querySelector("main").innerText;
      return {
        ran: window.ran,
        strange: document.querySelectorAll("main script, main img, main iframe, main object, main embed, main style, main base, main meta, main link, main video, main math, main template, main [style]").length,
        handlers: [...document.querySelectorAll("main *")].filter((one) => one.getAttributeNames().some((name) => name.startsWith("on"))).length,
        links: [...document.querySelectorAll("main a[href]")].map((one) => one.href).filter((href) => !/^https?:/.test(href)),
        elsewhere: [...document.querySelectorAll("main a[href]")].filter((one) => one.origin !== location.origin && !one.innerText.startsWith(one.origin)).map((one) => one.href),
        unseen: /[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\ufeff]/.test(shown),
        wider: document.documentElement.scrollWidth - innerWidth,
      };
    })()`);
    expect(found).toEqual({
      ran: undefined,
      strange: 0,
      handlers: 0,
      links: [],
      elsewhere: [],
      unseen: false,
      wider: 0,
    });
    expect(watched.wrongs).toEqual([]);
  };

  test("there are five hundred of them and more", () => {
    expect(NAUGHTY_STRINGS.length).toBeGreaterThanOrEqual(500);
  });

  test("as names, issuers, kinds and subjects among results they are text", async () => {
    const { page } = watched;
    const complete = NAUGHTY_STRINGS.slice(0, 20).map((text) => ({ log: text, origin: text, size: "1", root: text }));
    await page.route(api("search?*"), (route) =>
      answered(route, { results: NAUGHTY_STRINGS.map(namedEntry), complete }),
    );
    await page.goto("/search");
    await page.getByRole("heading", { name: `${NAUGHTY_STRINGS.length} entries` }).waitFor();
    await harmless(page);
  });

  test("as identities in the address, with what they signed, they are text", async () => {
    const { page } = watched;
    await page.route(api("identities?*"), (route) => {
      const san = new URL(route.request().url()).searchParams.get("san") ?? "";
      const counts = [{ value: san, count: 1 }];
      const [first, day] = ["2026-11-20T00:00:00Z", "2026-11-20"];
      const activity = [
        { day, count: 1 },
        { day: san, count: 2 },
      ];
      return answered(route, {
        san,
        count: 3,
        complete: true,
        first,
        last: san,
        issuers: [san],
        repositories: counts,
        kinds: counts,
        activity,
      });
    });
    await page.route(api("search?*"), (route) => answered(route, { results: [], complete: [] }));
    await page.goto("/logs");
    for (const text of NAUGHTY_STRINGS) {
      // As a click on a link to it, without loading the program five hundred times.
      const path = `/identities?${new URLSearchParams({ san: text }).toString()}`;
      await page.evaluate(
        `history.pushState(null, "", ${JSON.stringify(path)}); dispatchEvent(new PopStateEvent("popstate"))`,
      );
      if (text !== "") await page.getByRole("heading", { name: "Activity" }).waitFor();
      await harmless(page);
    }
  }, 400_000);

  test("in the search box and its address they are understood as something, and are text", async () => {
    const { page } = watched;
    await page.route(api("search?*"), (route) => answered(route, { results: [], complete: [] }));
    await page.route(api("entries/**"), (route) =>
      route.fulfill({ status: 404, json: { code: "not-found", message: "none" } }),
    );
    await page.goto("/search");
    for (const text of NAUGHTY_STRINGS) {
      const path = `/search?${new URLSearchParams({ q: text }).toString()}`;
      await page.evaluate(
        `history.pushState(null, "", ${JSON.stringify(path)}); dispatchEvent(new PopStateEvent("popstate"))`,
      );
      await page.locator(".understood").waitFor();
      await harmless(page);
    }
  }, 400_000);

  test("signed by the real flow, as what a statement is about, they are text beside a proof that holds", async () => {
    const { page } = watched;
    // Half a character is no Unicode, and strict JSON takes none.
    const names = NAUGHTY_STRINGS.filter((text) => text.isWellFormed() && text.length < 2_000);
    for (let from = 0; from < names.length; from += 50) {
      const subject = names.slice(from, from + 50).map((name) => ({ name, digest: { sha256: "ab".repeat(32) } }));
      const predicate = {
        builder: { id: names[from] },
        buildType: names[from + 1],
        materials: subject.map(({ name }) => ({ uri: name })),
      };
      const statement = {
        _type: "https://in-toto.io/Statement/v1",
        subject,
        predicateType: "https://slsa.dev/provenance/v0.2",
        predicate,
      };
      await signStatement(world.stack, statement, { log: 1 });
      const { results } = (await (await fetch(api("search?log=rekor&limit=1"))).json()) as { results: Entry[] };
      await page.goto(`/entries/rekor/${results[0]?.entryId}`);
      await page.getByText("Checked in your browser").waitFor();
      await page.evaluate(`document.querySelectorAll("details").forEach((one) => (one.open = true))`);
      await harmless(page);
    }
  }, 400_000);

  const tamperings: readonly (readonly [what: string, step: string, tamper: (entry: Entry) => void])[] = [
    ["another body", "leaf", (entry) => (entry.body = btoa(`${atob(entry.body)} `))],
    ["another kind", "body", (entry) => (entry["kind"] = "dsse")],
    ["another ID", "leaf", (entry) => (entry.entryId = flip(entry.entryId))],
    ["another hash", "path", ({ inclusionProof: { hashes } }) => hashes.splice(0, 1, flip(hashes[0] ?? ""))],
    ["another place", "path", ({ inclusionProof: proof }) => (proof.logIndex = proof.logIndex === "0" ? "1" : "0")],
    ["another root", "path", ({ inclusionProof: proof }) => (proof.rootHash = flip(proof.rootHash))],
    ["another size", "checkpoint", (entry) => (entry.checkpoint = entry.checkpoint.replace(/\n(\d+)\n/, "\n1$1\n"))],
    ["another origin", "log-signature", (entry) => (entry.checkpoint = entry.checkpoint.replace(/^(.*)\n/, "$11\n"))],
    ["another time", "promise", (entry) => (entry.integratedTime += 60)],
    ["another index", "promise", (entry) => (entry["logIndex"] = "77")],
  ];

  test.for(tamperings)("an answer with %s shows red and names “%s”", async ([, step, tamper]) => {
    await using own = await openPage(browser, world.stack.url);
    const { results } = (await (await fetch(api("search?log=rekor&kind=hashedrekord"))).json()) as { results: Entry[] };
    await own.page.route(api("entries/**"), async (route) => {
      const entry = (await (await route.fetch()).json()) as Entry;
      tamper(entry);
      await answered(route, entry);
    });
    await own.page.goto(`/entries/rekor/${results[0]?.entryId}`);
    await own.page.getByText("Do not believe this entry").waitFor();
    const failed = own.page.locator("[data-state=failed]");
    expect(await failed.first().getAttribute("data-step")).toBe(step);
    const title = (await failed.first().locator("h3").innerText()).split(":")[0]?.trim() ?? "";
    expect(await own.page.getByRole("alert").innerText()).toContain(title);
    const colour = (state: string) =>
      own.page.evaluate(`getComputedStyle(document.querySelector("[data-state=${state}] h3")).color`);
    const [red, plain] = [await colour("failed"), await colour("passed")];
    expect(red).not.toBe(plain);
    expect(own.wrongs).toEqual([]);
  });

  test("an answer that is no entry at all is said to be none", async () => {
    await using own = await openPage(browser, world.stack.url);
    await own.page.route(api("entries/**"), (route) => answered(route, { hello: "world" }));
    await own.page.goto("/entries/rekor/0");
    await own.page.getByText("The answer was not understood").waitFor();
    expect(own.wrongs).toEqual([]);
  });
});
