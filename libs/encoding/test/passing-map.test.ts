import { describe, expect, test } from "vitest";
import { PassingMap } from "@chancery/encoding";

describe("a map of what passes", () => {
  test("is a Map to whoever sets, gets and deletes, however often it was made anew", () => {
    const passing = new PassingMap<number, string>();
    const plain = new Map<number, string>();
    let random = 1;
    for (let step = 0; step < 20_000; step++) {
      random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
      const key = random % 300;
      if (random % 7 < 3) {
        passing.set(key, String(step));
        plain.set(key, String(step));
      } else {
        expect(passing.delete(key)).toBe(plain.delete(key));
      }
      expect(passing.get(key)).toBe(plain.get(key));
      expect(passing.size).toBe(plain.size);
    }
    expect([...passing.values()]).toEqual([...plain.values()]);
    passing.clear();
    expect([passing.size, passing.get(1), [...passing.values()]]).toEqual([0, undefined, []]);
  });

  test("can be walked while what is walked past is removed", () => {
    const passing = new PassingMap<number, number>();
    for (let key = 0; key < 1_000; key++) passing.set(key, key);
    const walked: number[] = [];
    for (const key of passing.values()) {
      walked.push(key);
      passing.delete(key);
    }
    expect(walked).toEqual(Array.from({ length: 1_000 }, (_, key) => key));
    expect(passing.size).toBe(0);
  });
});
