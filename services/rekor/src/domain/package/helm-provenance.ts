import { Malformed } from "@chancery/fault";
import { parse } from "yaml";

/** The YAML of a file name or two and their digests. 16 kB of brackets or equal keys took the parser 0.3 s. */
const MAX_SUMS = 2 * 1024;
const DIGEST = /^sha256:([0-9a-f]{64})$/;

/**
 * The SHA-256 of the chart that a provenance file's text speaks of:
 *
 *     <Chart.yaml>
 *     ...
 *     files:
 *       <chart>-<version>.tgz: sha256:<hex>
 */
export function chartDigest(text: string, field: string): string {
  const sums = text.split("\n...\n")[1];
  if (sums === undefined) throw new Malformed(`${field}: has no sums of files`);
  if (sums.length > MAX_SUMS) throw new Malformed(`${field}: the sums of files are longer than ${MAX_SUMS} characters`);
  const files = Object.values(filesOf(sums, field));
  const [only] = files;
  const [, value] = DIGEST.exec(typeof only === "string" ? only : "") ?? [];
  // Of several files upstream takes any.
  if (files.length !== 1 || value === undefined) throw new Malformed(`${field}: has not one file with its SHA-256`);
  return value;
}

function filesOf(sums: string, field: string): object {
  let document: unknown;
  try {
    document = parse(sums, { maxAliasCount: 0, schema: "failsafe", logLevel: "silent" });
  } catch (cause) {
    throw new Malformed(`${field}: the sums of files are not YAML`, { cause });
  }
  const files = typeof document === "object" && document !== null && "files" in document ? document.files : undefined;
  if (typeof files !== "object" || files === null) throw new Malformed(`${field}: has no sums of files`);
  return files;
}
