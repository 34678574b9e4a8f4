import { EventEmitter } from "node:events";
import { expect, test, vi } from "vitest";

/** A thread that answers when it is told to. The real one's late answers are a race that no test can win at will. */
class ThreadByHand extends EventEmitter {
  static readonly all: ThreadByHand[] = [];
  readonly postMessage = vi.fn();
  readonly terminate = vi.fn(() => Promise.resolve(1));

  constructor() {
    super();
    ThreadByHand.all.push(this);
  }

  ref(): void {}
  unref(): void {}
}

vi.doMock("node:worker_threads", () => ({ Worker: ThreadByHand }));
const { BatchThread } = await import("../src/batch-thread.ts");

const OF_ALL_THAT_HOLD = Uint8Array.of(1, 1, 1);

test.for(["error", "messageerror", "exit"])(
  "after its %s a thread's late answer is not taken for the next one's",
  async (event) => {
    ThreadByHand.all.length = 0;
    const thread = new BatchThread<boolean>({
      program: new URL("data:text/javascript,"),
      pack: () => new Uint8Array(1),
      here: (holds) => holds,
    });
    const before = Promise.all([thread.verify(true), thread.verify(false)]);
    await vi.waitFor(() => expect(ThreadByHand.all).toHaveLength(1));
    const [first] = ThreadByHand.all;
    first?.emit(event, new Error("by hand"));
    expect(await before).toEqual([true, false]);

    const after = Promise.all([thread.verify(false), thread.verify(true)]);
    await vi.waitFor(() => expect(ThreadByHand.all).toHaveLength(2));
    first?.emit("message", OF_ALL_THAT_HOLD);
    first?.emit("exit", 1);
    ThreadByHand.all[1]?.emit("message", Uint8Array.of(0, 1));
    expect(await after).toEqual([false, true]);
    expect(ThreadByHand.all).toHaveLength(2);
    expect(first?.terminate).toHaveBeenCalled();
  },
);
