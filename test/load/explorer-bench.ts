import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { Browser, Page } from "playwright-core";
import { launchBrowser, openPage } from "../explorer/browser.ts";
import { explorerWorld } from "../explorer/world.ts";
import { spread } from "./figures.ts";

const USAGE = `bench explorer [--rounds 9]
How soon the explorer's pages are of use in the system's Chromium, on loopback: from the request, in a window that has
nothing cached, to what is waited for. All pages take turns within a round.`;

interface TimedPage {
  readonly title: string;
  readonly path: string;
  /** Resolves once the page does what one came for. */
  readonly until: (page: Page) => Promise<void>;
}

const print = (line: string) => process.stdout.write(`${line}\n`);
const shown = (text: string) => (page: Page) => page.getByText(text).first().waitFor();

export async function benchExplorer(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: "string", default: "9" }, help: { type: "boolean", default: false } },
  });
  if (values.help) return void print(USAGE);
  await using world = await explorerWorld();
  const browser = await launchBrowser();
  try {
    const pages = await timedPages(world.stack.url);
    const times = pages.map((): number[] => []);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const [place, page] of pages.entries()) times[place]?.push(await timeOf(browser, world.stack.url, page));
    }
    print(`median of ${values.rounds} rounds (lowest–highest), ms; load ${loadavg()[0]?.toFixed(1)} at the end\n`);
    for (const [place, { title }] of pages.entries()) print(`${title.padEnd(58)}${spread(times[place] ?? [], 0)}`);
  } finally {
    await browser.close();
  }
}

async function timedPages(url: string): Promise<readonly TimedPage[]> {
  const answer = await fetch(`${url}/api/chancery/v1/search?log=rekor&limit=1`);
  const { results } = (await answer.json()) as { results: { entryId: string }[] };
  return [
    { title: "first page: the search box says what it understood", path: "/", until: isUnderstood },
    { title: "first page: the newest entries", path: "/", until: shown("Complete up to") },
    { title: "search of an identity", path: "/search?q=release%40example.com", until: shown("Complete up to") },
    {
      title: "entry: its proof is checked",
      path: `/entries/rekor/${results[0]?.entryId}`,
      until: shown("Checked in your browser"),
    },
    { title: "identity: its activity", path: "/identities?san=release%40example.com", until: shown("Activity") },
    { title: "log: its checkpoint is checked", path: "/logs/rekor", until: shown("Checked in your browser") },
    { title: "issuance", path: "/issuance", until: shown("By identity") },
    { title: "health", path: "/health", until: shown("All services are ready") },
  ];
}

async function isUnderstood(page: Page): Promise<void> {
  await page.getByRole("searchbox").fill("dev@example.com");
  await shown("Understood as an e-mail address")(page);
}

async function timeOf(browser: Browser, url: string, { path, until }: TimedPage): Promise<number> {
  await using watched = await openPage(browser, url);
  const started = performance.now();
  await watched.page.goto(path, { waitUntil: "commit" });
  await until(watched.page);
  const took = performance.now() - started;
  if (watched.wrongs.length > 0) throw new Error(watched.wrongs.join("\n"));
  return took;
}
