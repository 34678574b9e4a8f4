import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ENTRIES, type RunningRekor, startRekor } from "./running-rekor.ts";

/* What `fuzz` has found, each with the symptom that it had. */

let rekor: RunningRekor;
beforeAll(async () => {
  rekor = await startRekor();
});
afterAll(() => rekor?.[Symbol.asyncDispose]());

// oxlint-disable-next-line typescript/no-explicit-any -- samples are bent in every way that JSON can be bent.
function sample(kind: string, place = 0): any {
  const samples = JSON.parse(readFileSync(join(import.meta.dirname, "kinds", `${kind}.json`), "utf8"));
  return structuredClone(samples[place].proposed);
}

test.for(["root", "metadata"])("TUF %s with a number that is no integer was answered with 500", async (name) => {
  const proposal = sample("tuf");
  const { content } = proposal.spec[name];
  const document = typeof content === "string" ? JSON.parse(Buffer.from(content, "base64").toString()) : content;
  document.signed.fraction = 0.1;
  proposal.spec[name].content = document;
  const answer = await rekor.request("POST", ENTRIES, proposal);
  expect([answer.status, answer.json.message]).toEqual([
    400,
    `error processing entry: spec.${name}.content.signed: has a number that is not an integer`,
  ]);
});

test("8 MB of TUF metadata, written out as 200,000 values, took 1.7 s of everyone's time", async () => {
  const proposal = sample("tuf");
  proposal.spec.root.content = { signed: { list: Array.from({ length: 60_000 }, () => "a") } };
  const answer = await rekor.request("POST", ENTRIES, proposal);
  expect([answer.status, answer.json.message]).toEqual([
    400,
    expect.stringMatching(/^error processing entry: proposedEntry: more than 50000 values \(at \d+\)$/),
  ]);
  proposal.spec.root.content = { signed: { list: Array.from({ length: 40 }, () => "a".repeat(100_000)) } };
  const long = await rekor.request("POST", ENTRIES, proposal);
  expect([long.status, long.json.message]).toEqual([413, "spec.root.content: longer than 49152 bytes"]);
});
