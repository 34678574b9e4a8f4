import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** A file of the built pages and its compressed forms, each made once, by the build. */
export interface SiteFile {
  readonly name: string;
  readonly contentType: string;
  readonly plain: Uint8Array;
  readonly brotli?: Uint8Array;
  readonly gzip?: Uint8Array;
}

/** The built pages, whole in memory: less than 2 MB, and no request's path ever reaches the disk. */
export interface Site {
  readonly page: SiteFile;
  readonly assets: ReadonlyMap<string, SiteFile>;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** `index.html` and `assets/` of a folder; undefined where the pages have not been built. */
export async function readSite(folder: string): Promise<Site | undefined> {
  const page = await readSiteFile(folder, "index.html");
  if (page === undefined) return undefined;
  const names = await readdir(join(folder, "assets"));
  const originals = names.filter((name) => contentType(name) !== undefined);
  const files = await Promise.all(originals.map((name) => readSiteFile(join(folder, "assets"), name)));
  const found = files.filter((file) => file !== undefined);
  return { page, assets: new Map(found.map((file) => [file.name, file])) };
}

async function readSiteFile(folder: string, name: string): Promise<SiteFile | undefined> {
  const [plain, brotli, gzip] = await Promise.all(
    ["", ".br", ".gz"].map((end) => readIfThere(join(folder, name + end))),
  );
  const type = contentType(name);
  if (plain === undefined || type === undefined) return undefined;
  return { name, contentType: type, plain, ...(brotli && { brotli }), ...(gzip && { gzip }) };
}

function contentType(name: string): string | undefined {
  return CONTENT_TYPES[/\.\w+$/.exec(name)?.[0] ?? ""];
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The smallest form that the caller takes. RFC 9110, Section 12.5.3; `q=0` refuses a coding. */
export function chooseCoding(
  file: SiteFile,
  accepted: string | undefined,
): { readonly bytes: Uint8Array; readonly coding?: "br" | "gzip" } {
  const takes = (coding: string) =>
    (accepted ?? "").split(",").some((part) => {
      const [name, quality] = part.split(";", 2);
      return name?.trim().toLowerCase() === coding && !/^\s*q=0(\.0*)?\s*$/.test(quality ?? "");
    });
  if (file.brotli !== undefined && takes("br")) return { bytes: file.brotli, coding: "br" };
  if (file.gzip !== undefined && takes("gzip")) return { bytes: file.gzip, coding: "gzip" };
  return { bytes: file.plain };
}
