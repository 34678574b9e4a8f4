import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LineBuffer } from "../src/export/line-buffer.ts";

test("a line buffer holds what was written, in UTF-8, however long, and begins anew when it was taken", () => {
  const buffer = new LineBuffer();
  const part = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string().map((text) => text.repeat(5_000)),
  );
  fc.assert(
    fc.property(fc.array(part), (texts) => {
      for (const text of texts) buffer.text(text);
      expect(Buffer.from(buffer.take()).equals(Buffer.from(texts.join("")))).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("what was taken is not written over by what comes next", () => {
  const buffer = new LineBuffer();
  buffer.ascii("first");
  const taken = buffer.take();
  buffer.ascii("second");
  expect(Buffer.from(taken).toString()).toBe("first");
  expect(Buffer.from(buffer.take()).toString()).toBe("second");
});
