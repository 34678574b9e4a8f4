import { expect, test } from "vitest";
import { CallThreads } from "../src/call-threads.ts";

/** Calls of a thread, told what they do by their names. */
const PROGRAM = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort, threadId } from "node:worker_threads";
    parentPort.on("message", ({ name, args }) => {
      if (name === "end") process.exit();
      if (name === "throw") throw new Error("out of memory");
      if (name === "fail") return parentPort.postMessage({ failure: { message: args[0], code: args[1] } });
      if (name === "wait") Atomics.wait(new Int32Array(args[0]), 0, 0);
      if (name === "unreadable") return parentPort.postMessage({ value: () => {} });
      parentPort.postMessage({ value: name === "thread" ? threadId : args[0] });
    });`)}`,
);

const threads = (most = 2) => new CallThreads(PROGRAM, most);
const call = (pool: CallThreads, name: string, ...args: readonly unknown[]) => pool.call({ name, args });
/** What a thread waits for until it is rung. */
const bell = () => {
  const buffer = new SharedArrayBuffer(4);
  const ring = () => {
    const value = new Int32Array(buffer);
    Atomics.store(value, 0, 1);
    Atomics.notify(value, 0);
  };
  return { buffer, ring };
};

test("answers are those of their calls, in whatever order they come", async () => {
  const pool = threads();
  const { buffer, ring } = bell();
  const slow = call(pool, "wait", buffer);
  expect(await Promise.all([1, 2, 3].map((value) => call(pool, "echo", value)))).toEqual([1, 2, 3]);
  ring();
  expect(new Int32Array((await slow) as SharedArrayBuffer)[0]).toBe(1);
});

test("calls one after the other are one thread's; a second is begun only beside one that is busy", async () => {
  const pool = threads();
  const first = await call(pool, "thread");
  expect(await call(pool, "thread")).toBe(first);
  const { buffer, ring } = bell();
  const slow = call(pool, "wait", buffer);
  expect(await call(pool, "thread")).not.toBe(first);
  ring();
  await slow;
});

test("calls that never return keep all others waiting once each thread has one, and no longer than that", async () => {
  const pool = threads(2);
  const bells = [bell(), bell()];
  const slow = bells.map(({ buffer }) => call(pool, "wait", buffer));
  const next = call(pool, "echo", "next");
  const early = await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 200, "nothing yet"))]);
  expect(early).toBe("nothing yet");
  bells[1]?.ring();
  expect(await next).toBe("next");
  bells[0]?.ring();
  await Promise.all(slow);
});

test("what fails has the message and the code that it had in the thread", async () => {
  const pool = threads();
  await expect(call(pool, "fail", "no room", "ENOSPC")).rejects.toMatchObject({ message: "no room", code: "ENOSPC" });
  await expect(call(pool, "fail", "damaged")).rejects.toThrow(/^damaged$/);
  expect(await call(pool, "echo", 1)).toBe(1);
});

test.each(["end", "throw", "unreadable"])(
  "a thread that ends by '%s' fails its own call and no other; the next has a new thread",
  async (how) => {
    const pool = threads(1);
    await call(pool, "echo", 0);
    const ended = call(pool, how);
    const next = call(pool, "echo", "next");
    await expect(ended).rejects.toThrow("the thread ended before it answered");
    expect(await next).toBe("next");
  },
);

test("one that cannot be started fails each call and ends nothing", async () => {
  const pool = new CallThreads(new URL("data:text/javascript,throw new Error('no')"), 2);
  for (const value of [1, 2, 3]) await expect(call(pool, "echo", value)).rejects.toThrow("the thread ended");
});

test("those that wait behind one that ended are told, too, where no thread can be had any more", async () => {
  const program = new URL(PROGRAM);
  const pool = new CallThreads(program, 1);
  await call(pool, "echo", 0);
  const calls = ["end", "echo", "echo", "echo"].map((name) => call(pool, name, 1));
  program.href = "https://nowhere.invalid/";
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected", "rejected"]);
  program.href = PROGRAM.href;
  expect(await call(pool, "echo", 2)).toBe(2);
});

test("what cannot be sent is refused, and takes no other call with it", async () => {
  const pool = threads(1);
  const refused = call(pool, "echo", () => {});
  const next = call(pool, "echo", "next");
  await expect(refused).rejects.toThrow("could not be cloned");
  expect(await next).toBe("next");
});
