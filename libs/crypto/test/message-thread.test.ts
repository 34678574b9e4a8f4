import { generateKeyPairSync, sign } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, test, vi } from "vitest";
import { THREAD_ENDED, type ThreadEnded } from "../src/batch-thread.ts";
import { messageThread } from "../src/message-thread.ts";
import { packMessages, unpackMessages } from "../src/packed-messages.ts";
import { plain } from "../src/sha.ts";
import type { SignedMessage } from "../src/signed-message.ts";

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = [2048, 3072].map((modulusLength) => generateKeyPairSync("rsa", { modulusLength }));

interface Judged {
  readonly signed: SignedMessage;
  readonly holds: boolean;
}

/** More than go in one message, of every kind: in each third one bit of message or signature is another. */
const judged: readonly Judged[] = Array.from({ length: 100 }, (_, at) => {
  const message = new Uint8Array(at * 17).fill(at);
  const hash = (["sha256", "sha384", "sha512"] as const)[at % 3] ?? "sha256";
  const { publicKey, privateKey } = at % 2 === 0 ? ec : rsa[at % rsa.length]!;
  const spki = plain(publicKey.export({ type: "spki", format: "der" }));
  const signature = plain(sign(hash, message, privateKey));
  const right = { scheme: at % 2 === 0 ? "ecdsa-p256" : "rsa-pkcs1", hash, spki, message, signature } as const;
  switch (at % 5) {
    case 3:
      return { signed: { ...right, message: Uint8Array.of(...message, 0) }, holds: false };
    case 4:
      return {
        signed: { ...right, signature: signature.with(signature.length - 1, signature.at(-1)! ^ 1) },
        holds: false,
      };
    default:
      return { signed: right, holds: true };
  }
});

const all = judged.map(({ signed }) => signed);
const expected = judged.map(({ holds }) => holds);

test("what goes to a thread comes out as it was", () => {
  expect(unpackMessages(packMessages(all))).toEqual(all);
  expect(unpackMessages(packMessages([]))).toEqual([]);
});

const REAL = new URL("../src/verify-messages.ts", import.meta.url).href;
const AT_THE_SECOND = `(asked => () => { if (++asked === 2) throw new Error("broken"); })(0)`;

describe("a thread", () => {
  test("gives each of many who ask at once the own answer", async () => {
    const thread = messageThread();
    expect(await Promise.all(all.map((signed) => thread.verify(signed)))).toEqual(expected);
    for (const { signed, holds } of judged.slice(0, 5)) expect(await thread.verify(signed)).toBe(holds);
  });

  test("tells who brought a key that cannot be read, and gives those beside their answers", async () => {
    const thread = messageThread();
    const broken = { ...all[0]!, spki: Uint8Array.of(0x30, 0x00) };
    const answers = await Promise.allSettled([...all.slice(0, 9), broken].map((signed) => thread.verify(signed)));
    expect(answers.pop()).toMatchObject({ status: "rejected" });
    expect(answers.map((answer) => answer.status === "fulfilled" && answer.value)).toEqual(expected.slice(0, 9));
  });

  test.for([
    ["at once", "process.exit(1)"],
    ["by a fault", "throw new Error('broken')"],
    ["with its first batch", "parentPort.once('message', () => process.exit())"],
    // Of four batches, one of those under way has its answer.
    ["before its second answer", `await import("${REAL}"); parentPort.prependListener("message", ${AT_THE_SECOND})`],
    ["after its second answer", `await import("${REAL}"); parentPort.on("message", ${AT_THE_SECOND})`],
  ])("that ends %s leaves nobody without the right answer", async ([, program]) => {
    const module = `import { parentPort } from "node:worker_threads"; ${program}`;
    const thread = messageThread(new URL(`data:text/javascript,${encodeURIComponent(module)}`));
    for (let round = 0; round < 2; round++) {
      expect(await Promise.all(all.map((signed) => thread.verify(signed)))).toEqual(expected);
    }
  });

  test("that cannot be started leaves nobody without the right answer", async () => {
    const thread = messageThread(new URL("https://thread.example/no-worker-is-started-from-here.js"));
    for (let round = 0; round < 2; round++) {
      expect(await Promise.all(all.map((signed) => thread.verify(signed)))).toEqual(expected);
    }
  });

  test.for([
    ["dies at each start", `data:text/javascript,${encodeURIComponent("throw new Error('broken')")}`, "broken"],
    ["ends", `data:text/javascript,${encodeURIComponent("process.exit(3)")}`, "it ended with 3"],
    ["cannot be started", "https://thread.example/a-thread.js", "scheme file"],
  ] as const)("that %s is told of, each time, for nobody would see it", async ([, program, reason]) => {
    const told: ThreadEnded[] = [];
    const listener = (message: unknown) => void told.push(message as ThreadEnded);
    subscribe(THREAD_ENDED, listener);
    const thread = messageThread(new URL(program));
    for (let round = 0; round < 2; round++) await thread.verify(all[0]!);
    unsubscribe(THREAD_ENDED, listener);
    expect(told.map((one) => one.reason)).toEqual([expect.stringContaining(reason), expect.stringContaining(reason)]);
  });

  test("that works is not told of", async () => {
    const told = vi.fn();
    subscribe(THREAD_ENDED, told);
    expect(await messageThread().verify(all[0]!)).toBe(true);
    unsubscribe(THREAD_ENDED, told);
    expect(told).not.toHaveBeenCalled();
  });

  test("that answers nonsense decides nothing", async () => {
    const module = `import { parentPort } from "node:worker_threads";
      parentPort.on("message", () => parentPort.postMessage(new Uint8Array([7])));`;
    const thread = messageThread(new URL(`data:text/javascript,${encodeURIComponent(module)}`));
    expect(await Promise.all(all.map((signed) => thread.verify(signed)))).toEqual(expected);
  });
});
