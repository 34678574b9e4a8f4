import { findClient } from "@chancery/testing";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** The system's Chromium, without a window. As root it has no sandbox to run in. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = findClient("chromium");
  if (executablePath === undefined) throw new Error("there is no chromium here");
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath, args });
}

/** A page that remembers what went wrong in it: nothing of this may ever happen, whatever is shown. */
export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors, policy violations, dialogs, windows, and requests to anyone but the stack. */
  readonly wrongs: readonly string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ baseURL: url, viewport: { width: 1280, height: 860 }, ...options });
  const wrongs: string[] = [];
  context.on("page", (opened) => {
    opened.on("dialog", (dialog) => {
      wrongs.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    opened.on("pageerror", (error) => wrongs.push(`error: ${String(error)}`));
    opened.on("console", (message) => {
      // A refused or missing answer is told on the page; Chromium writes it down as an error all the same.
      const isStatus = message.text().startsWith("Failed to load resource: the server responded with a status of");
      if (message.type() === "error" && !isStatus) wrongs.push(`console: ${message.text()}`);
    });
  });
  const page = await context.newPage();
  context.on("page", (other) => wrongs.push(`window: ${other.url()}`));
  page.on("request", (request) => {
    const to = new URL(request.url());
    if (to.origin !== new URL(url).origin && to.protocol !== "blob:") wrongs.push(`request: ${request.url()}`);
  });
  return { page, wrongs, [Symbol.asyncDispose]: () => context.close() };
}
