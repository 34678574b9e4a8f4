import { describe, expect, test } from "vitest";
import { utf8 } from "@chancery/encoding";
import {
  Fault,
  Forbidden,
  InsecureKey,
  Malformed,
  Pushback,
  TooLarge,
  Unavailable,
  Unsupported,
  Unverified,
} from "@chancery/fault";
import type { NewEntry } from "@chancery/log";
import { judgeProposal } from "../src/domain/judge-proposal.ts";
import type { ProposedEntry } from "../src/domain/entries/entry-kind.ts";
import { violation } from "../src/http/schema-violation.ts";
import { packFault, unpackFault } from "../src/intake/packed-fault.ts";
import { PackedReader, PackedWriter } from "../src/intake/packed-bytes.ts";
import { ProposalThread } from "../src/intake/proposal-thread.ts";
import { everyKind, hashedrekord } from "./proposals.ts";

const body = (proposed: object) => utf8(JSON.stringify(proposed));
const NOWHERE = { index: 0n, time: 0 };
const told = ({ leaf, names = [], ...entry }: NewEntry) => ({ ...entry, names, leaf: leaf(NOWHERE) });

describe("a thread that reads proposals", () => {
  test("makes of each kind what is made of it here", async () => {
    const proposals: ProposedEntry[] = [...(await everyKind()), await hashedrekord(), await hashedrekord()];
    const intake = new ProposalThread().intake("v1", {});
    const made = await Promise.all(proposals.map((proposed) => intake(body(proposed))));
    const expected = await Promise.all(proposals.map((proposed) => judgeProposal(proposed, {})));
    expect(made.map(told)).toEqual(expected.map(told));
  });

  test("holds each proposal to the rules of its own log", async () => {
    const thread = new ProposalThread();
    const [all, none] = [thread.intake("v1", {}), thread.intake("v1", { entryKinds: ["dsse"] })];
    const proposed = body(await hashedrekord());
    const late = thread.intake("v1", { signers: { authorities: [], keys: new Set() } });
    await all(proposed);
    await expect(none(proposed)).rejects.toThrow("entry kind 'hashedrekord' is not enabled for submission");
    await expect(late(proposed)).rejects.toBeInstanceOf(Forbidden);
    // Told after the thread had begun.
    const last = thread.intake("v1", { keyAlgorithms: ["rsa-2048"] });
    await expect(last(proposed)).rejects.toThrow("entry algorithm ecdsa-p256 not allowed");
  });

  test("answers more than it is given at once, and each its own", async () => {
    const intake = new ProposalThread().intake("v1", {});
    const proposals = await Promise.all(Array.from({ length: 150 }, () => hashedrekord()));
    const sent = proposals.map((proposed, at) => (at % 3 === 0 ? utf8(`{"kind": "${at}"`) : body(proposed)));
    const answers = await Promise.allSettled(sent.map((each) => intake(each)));
    for (const [at, answer] of answers.entries()) {
      if (answer.status === "rejected") expect(at % 3).toBe(0);
      else expect(told(answer.value)).toEqual(told(await judgeProposal(proposals[at]!, {})));
    }
    expect(answers.filter(({ status }) => status === "rejected")).toHaveLength(50);
  });

  test("that ends has those who waited ask again, and the next is judged by another", async () => {
    const program = `import { parentPort } from "node:worker_threads";
      parentPort.on("message", (message) => { if (message instanceof Uint8Array) throw new Error("out of memory"); });`;
    const thread = new ProposalThread(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
    const intake = thread.intake("v1", {});
    for (let round = 0; round < 2; round++) {
      const answers = await Promise.allSettled(Array.from({ length: 70 }, () => intake(utf8("{}"))));
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: "rejected", reason: expect.any(Unavailable) });
      }
    }
  });

  test("that cannot be started has those who waited ask again, and ends no process", async () => {
    const thread = new ProposalThread(new URL("https://thread.example/no-worker-is-started-from-here.js"));
    const intake = thread.intake("v1", {});
    for (let round = 0; round < 2; round++) {
      const answers = await Promise.allSettled(Array.from({ length: 70 }, () => intake(utf8("{}"))));
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: "rejected", reason: expect.any(Unavailable) });
      }
    }
  });
});

test.for<Error>([
  new Malformed("spec: not an object"),
  new Unverified("signature"),
  new InsecureKey("key"),
  new Unsupported("kind — 日本"),
  new TooLarge("spec"),
  new Forbidden("signer"),
  new Pushback("full", 3),
  new Unavailable("down", 7),
  violation.required("spec", "body"),
  violation.unprocessable("invalid kind value"),
])("%s comes out of a thread as it went in", (error) => {
  const out = unpackFault(packFault(error));
  expect(out).toBeInstanceOf(Fault);
  expect(out.constructor).toBe(error.constructor);
  expect([out.message, Object.entries(out)]).toEqual([error.message, Object.entries(error)]);
});

test("an error of the program is none of the client's: its text is for the operator", () => {
  const out = unpackFault(packFault(new TypeError("x is undefined")));
  expect(out).not.toBeInstanceOf(Fault);
  expect(out.message).toBe("x is undefined");
  expect(out.stack).toContain("proposal-thread.test");
});

test("what is packed is read again, however long", () => {
  const writer = new PackedWriter();
  for (const length of [0, 1, 70_000, 3_000_000]) {
    writer.number8(length % 256);
    writer.bytes(new Uint8Array(length).fill(length));
    writer.number32(length);
    const reader = new PackedReader(writer.take());
    expect(reader.number8()).toBe(length % 256);
    expect(reader.bytes()).toEqual(new Uint8Array(length).fill(length));
    expect(reader.isDone).toBe(false);
    expect(reader.number32()).toBe(length);
    expect(reader.isDone).toBe(true);
  }
});

test("text is packed as its UTF-8, whatever it takes of what it might", () => {
  const texts = ["", "a", "naïve € 😀", "x".repeat(70_000), "€".repeat(30_000), "\ud83d"];
  const writer = new PackedWriter();
  for (const text of texts) writer.text(text);
  writer.number32(7);
  const reader = new PackedReader(writer.take());
  for (const text of texts) expect(reader.bytes()).toEqual(utf8(text));
  expect(reader.number32()).toBe(7);
  expect(reader.isDone).toBe(true);
});
