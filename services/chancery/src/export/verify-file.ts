import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { countedLines } from "./begun.ts";
import { LineCheck } from "./line-check.ts";
import type { VerifiedManifest } from "./manifest.ts";

/** More than any line: an entry's body has 64 kB at most over either API that signs trees, 10 MB over v1. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

export interface Verdict {
  /** What is wrong, the most telling first; none if the file is what was signed for. */
  readonly findings: readonly string[];
  /** What was held against each other besides the hash. */
  readonly checked: readonly string[];
}

/** Reads the file once, holds it against its manifest, and where it differs says as much of it as can be told. */
export async function verifyFile(
  path: string,
  manifest: VerifiedManifest,
  progress: (done: bigint, total: bigint) => void,
): Promise<Verdict> {
  const hash = createHash("sha256");
  const lines = new LineCheck(manifest);
  let bytes = 0;
  /** Of the line that has not ended, joined when it has: joined with each chunk, 64 MB without an end were 30 GB copied. */
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    rest.push(chunk);
    if (chunk.includes(NEWLINE)) rest = [takeLines(Buffer.concat(rest), lines)];
    restBytes = rest.length === 1 ? (rest[0]?.length ?? 0) : restBytes + chunk.length;
    if (restBytes > MAX_LINE_BYTES) {
      lines.find(`line ${lines.number + 1}: has more than ${MAX_LINE_BYTES} bytes`);
      rest = [];
      restBytes = 0;
    }
    progress(BigInt(bytes), BigInt(manifest.bytes));
  }
  lines.end();
  const isSame = hash.digest("hex") === manifest.sha256 && bytes === Number(manifest.bytes);
  if (isSame) return { findings: lines.findings, checked: ["SHA-256", "size", ...lines.checked] };
  return { findings: [...differences(bytes, restBytes > 0, lines, manifest), ...lines.findings], checked: [] };
}

function takeLines(bytes: Buffer, lines: LineCheck): Buffer {
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    lines.line(bytes.subarray(start, end));
    start = end + 1;
  }
  return bytes.subarray(start);
}

function differences(bytes: number, isTorn: boolean, lines: LineCheck, manifest: VerifiedManifest): string[] {
  const [signed, count] = [Number(manifest.bytes), Number(manifest.count)];
  const found: string[] = [];
  if (bytes < signed) found.push(`it has ${bytes} bytes, ${signed} were signed for: ${signed - bytes} are missing`);
  if (bytes > signed) found.push(`it has ${bytes} bytes, ${signed} were signed for: ${bytes - signed} too many`);
  if (isTorn) found.push(`it ends within line ${lines.number + 1}: it is cut off`);
  if (lines.count !== count) found.push(`it has ${countedLines(lines.count, manifest.kind)}, ${count} were signed for`);
  return [...found, "its SHA-256 is not the one that was signed for: it was changed"];
}
