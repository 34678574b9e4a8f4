import { parseBundle } from "../proof/bundle.ts";
import { hashFile } from "../proof/hash-file.ts";
import { parseOldBundle } from "../proof/old-bundle.ts";

/** A bundle on its way to the page that checks it; it never leaves this browser. */
export interface DroppedBundle {
  readonly name: string;
  readonly text: string;
}

let dropped: DroppedBundle | undefined;

export function takeDroppedBundle(): DroppedBundle | undefined {
  const bundle = dropped;
  dropped = undefined;
  return bundle;
}

const LARGEST_BUNDLE = 16 * 1024 * 1024;

/** Where a dropped file leads: a bundle to its check, anything else to the search for its digest. */
export async function pathForFile(file: File, told: (share: number) => void): Promise<string> {
  if (file.size > 0 && file.size <= LARGEST_BUNDLE) {
    const start = await file.slice(0, 64).text();
    if (start.trimStart().startsWith("{")) {
      const text = await file.text();
      if (isBundle(text)) {
        dropped = { name: file.name, text };
        return "/check";
      }
    }
    if (/^-----BEGIN (PUBLIC KEY|CERTIFICATE)-----/.test(start) && file.size < 16_384) {
      return `/search?${new URLSearchParams({ q: (await file.text()).trim() }).toString()}`;
    }
  }
  const hex = await hashFile(file, (bytes) => told(file.size === 0 ? 1 : bytes / file.size));
  return `/search?${new URLSearchParams({ q: `sha256:${hex}` }).toString()}`;
}

function isBundle(text: string): boolean {
  try {
    // Shown with what it is, and where its entry is checked.
    if (parseOldBundle(text) !== undefined) return true;
    parseBundle(text);
    return true;
  } catch {
    return false;
  }
}
