import { expect, test } from "vitest";
import { counted } from "../src/index.ts";

test.each([
  [counted(0, "entry", "entries"), "0 entries"],
  [counted(1n, "entry", "entries"), "1 entry"],
  [counted("1", "warning"), "1 warning"],
  [counted("1,001", "warning"), "1,001 warnings"],
])("one of a thing has no plural: %s", (said, expected) => expect(said).toBe(expected));
