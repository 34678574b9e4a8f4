// Builds the pages into dist/site, each file beside its compressed forms, unless they are built from just these sources.
// Plain JavaScript, because the launcher runs it before anything else of this package is there.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const HERE = import.meta.dirname;
const ROOT = join(HERE, "../..");
const SITE = join(HERE, "dist/site");
const STAMP = join(SITE, ".built-from");

/** All that goes in: the pages, the packages of ours they use, and the lock file for everybody else's. */
function fingerprint() {
  const hash = createHash("sha256");
  const folders = [join(HERE, "src/web"), join(ROOT, "libs/encoding/src"), join(ROOT, "libs/fault/src")];
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  for (const file of [...files.sort(), import.meta.filename, join(ROOT, "pnpm-lock.yaml")]) {
    if (existsSync(file)) hash.update(`\0${file.slice(ROOT.length)}\0`).update(readFileSync(file));
  }
  return hash.digest("hex");
}

async function buildSite() {
  // Loaded only here: half a second that a start with nothing to build does not pay.
  const { build } = await import("vite");
  await build({
    root: join(HERE, "src/web"),
    configFile: false,
    logLevel: "warn",
    // Workspace packages from their sources: nothing stale is built in.
    resolve: { conditions: ["@chancery/source", "module", "browser", "production"] },
    build: {
      outDir: SITE,
      emptyOutDir: true,
      target: ["chrome140", "firefox140", "safari26"],
      // The pages' policy refuses data: URLs, and a style or script in the page itself.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
  });
  compress(SITE, "index.html");
  for (const name of readdirSync(join(SITE, "assets"))) {
    if (/\.(js|css|svg)$/.test(name)) compress(join(SITE, "assets"), name);
  }
}

function compress(folder, name) {
  const bytes = readFileSync(join(folder, name));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  writeFileSync(join(folder, `${name}.br`), brotliCompressSync(bytes, { params }));
  writeFileSync(join(folder, `${name}.gz`), gzipSync(bytes, { level: 9 }));
}

const wanted = fingerprint();
if (!existsSync(STAMP) || readFileSync(STAMP, "utf8") !== wanted) {
  await buildSite();
  // Last: a build that was cut off is made again.
  writeFileSync(STAMP, wanted);
}
