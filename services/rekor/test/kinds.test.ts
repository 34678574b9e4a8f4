import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodeHex } from "@chancery/encoding";
import { Fault } from "@chancery/fault";
import { leafHash } from "@chancery/tlog";
import { bodyOf, parseEntry } from "../src/domain/entries/entry-kinds.ts";
import type { ProposedEntry } from "../src/domain/entries/entry-kind.ts";

/** A proposal that a real tool made, and what upstream's own code made of it. */
interface Sample {
  readonly name: string;
  readonly proposed: ProposedEntry;
  readonly uuid: string;
  /** What upstream indexes it by. */
  readonly keys: readonly string[];
}

const FOLDER = join(import.meta.dirname, "kinds");
const samples = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .flatMap((name): Sample[] => JSON.parse(readFileSync(join(FOLDER, name), "utf8")))
  .map((sample): [string, Sample] => [`${sample.proposed.kind} (${sample.name})`, sample]);

describe.for(samples)("a sample of %s", ([, { proposed, uuid, keys }]) => {
  test("has upstream's UUID", async () => {
    expect(encodeHex(leafHash((await parseEntry(proposed)).body))).toBe(uuid);
  });

  test("is found by all that upstream indexes, and by nothing that is empty", async () => {
    const { searchTexts } = await parseEntry(proposed);
    const found = new Set(searchTexts.map((text) => text.toLowerCase()));
    expect(keys.filter((key) => !found.has(key.toLowerCase()))).toEqual([]);
    expect(searchTexts).not.toContain("");
  });

  test("is found by its stored form", async () => {
    const stored = JSON.parse(new TextDecoder().decode((await parseEntry(proposed)).body)) as ProposedEntry;
    expect(encodeHex(leafHash(await bodyOf(stored)))).toBe(uuid);
  });

  test("with one bit changed anywhere is refused by name, or is another entry", async () => {
    for (const bent of bitsChanged(proposed)) {
      const outcome = await parseEntry(bent).then(
        (parsed) => encodeHex(leafHash(parsed.body)),
        (error: unknown) => error,
      );
      if (typeof outcome === "string") continue;
      expect(outcome).toBeInstanceOf(Fault);
      expect(["malformed", "unverified", "insecure-key", "unsupported", "too-large"]).toContain(
        (outcome as Fault).code,
      );
      expect((outcome as Fault).message).toMatch(/^[a-z][^:]*: /i);
    }
  });
});

/** The proposal with a bit of one of its base64 values turned, at eight places of each. */
function* bitsChanged(proposed: ProposedEntry): Generator<ProposedEntry> {
  const text = JSON.stringify(proposed);
  for (const [match] of text.matchAll(/"[A-Za-z0-9+/]{40,}={0,2}"/g)) {
    const bytes = Buffer.from(match.slice(1, -1), "base64");
    for (let part = 0; part < 8; part++) {
      const bent = Buffer.from(bytes);
      const at = Math.floor((bytes.length * part) / 8) + (part % 3);
      bent[at] = (bent[at] ?? 0) ^ (1 << (part % 8));
      yield JSON.parse(text.replace(match, `"${bent.toString("base64")}"`)) as ProposedEntry;
    }
  }
}
