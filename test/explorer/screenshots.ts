import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { launchBrowser, openPage } from "./browser.ts";
import { explorerWorld } from "./world.ts";

/**
 * Remakes docs/screenshots: each page, light and dark, on a laptop and a phone, of a stack of its own with a few real
 * signatures.
 */
const FOLDER = join(import.meta.dirname, "../../docs/screenshots");
const SCHEMES = ["light", "dark"] as const;
const DEVICES = { laptop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;

await using world = await explorerWorld({ auditor: "on" });
const browser = await launchBrowser();
try {
  await mkdir(FOLDER, { recursive: true });
  const pages = await pathsByName();
  await allChecked(browser);
  let bytes = 0;
  for (const scheme of SCHEMES) {
    for (const device of Object.keys(DEVICES) as (keyof typeof DEVICES)[]) {
      bytes += await shoot(browser, pages, scheme, device);
    }
  }
  process.stdout.write(`${FOLDER}: ${(bytes / 1e6).toFixed(1)} MB\n`);
} finally {
  await browser.close();
}

/** Each check is made once within two minutes of the auditor's start, the canary a minute after it. */
async function allChecked(on: Browser): Promise<void> {
  await using watched = await openPage(on, world.stack.url);
  await watched.page.goto("/health");
  await watched.page.getByText("The auditor has nothing to complain about").waitFor({ timeout: 180_000 });
  await watched.page.getByText("The last canary went end to end").waitFor({ timeout: 90_000 });
}

async function pathsByName(): Promise<Readonly<Record<string, string>>> {
  const answer = await fetch(
    `${world.stack.url}/api/chancery/v1/search?log=rekor&predicateType=https://slsa.dev/provenance/v1`,
  );
  const { results } = (await answer.json()) as { results: { entryId: string }[] };
  return {
    home: "/",
    search: "/search?q=release%40example.com",
    entry: `/entries/rekor/${results[0]?.entryId}`,
    identity: "/identities?san=release%40example.com",
    log: "/logs/rekor",
    issuance: "/issuance",
    health: "/health",
    sign: "/sign",
  };
}

async function shoot(
  on: Browser,
  pages: Readonly<Record<string, string>>,
  colorScheme: (typeof SCHEMES)[number],
  device: keyof typeof DEVICES,
): Promise<number> {
  await using watched = await openPage(on, world.stack.url, { colorScheme, viewport: DEVICES[device] });
  let bytes = 0;
  for (const [name, path] of Object.entries(pages)) {
    await watched.page.goto(path, { waitUntil: "networkidle" });
    const file = join(FOLDER, `${name}-${device}-${colorScheme}.png`);
    await watched.page.screenshot({ path: file });
    bytes += (await stat(file)).size;
  }
  if (watched.wrongs.length > 0) throw new Error(watched.wrongs.join("\n"));
  return bytes;
}
