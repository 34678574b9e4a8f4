import { FileAnchor } from "../src/file-anchor.ts";

/** Adds so many steps to an anchor that others add to at the same time. */
const [directory = "", steps = "0"] = process.argv.slice(2);
const anchor = await FileAnchor.open(directory, "log");
for (let done = 0; done < Number(steps);) {
  const current = await anchor.read();
  const size = (current?.size ?? 0n) + 1n;
  const root = new Uint8Array(32).fill(process.pid % 256);
  const next = { origin: "counted", keyId: Uint8Array.of(1), size, root, time: process.pid };
  if (await anchor.compareAndSwap(current, next)) done++;
}
