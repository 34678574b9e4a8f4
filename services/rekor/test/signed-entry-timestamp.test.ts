import * as fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, encodeBase64, encodeHex } from "@chancery/encoding";
import { promiseText } from "../src/domain/signed-entry-timestamp.ts";

test("what an entry's timestamp signs is canonical JSON of the promise", () => {
  const integer = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(fc.uint8Array(), integer, key, integer, (leaf, integratedTime, keyId, logIndex) => {
      const [body, logId] = [encodeBase64(leaf), encodeHex(keyId)];
      const canonical = canonicalJson({ body, integratedTime, logID: logId, logIndex });
      expect(promiseText({ body, integratedTime, logId, logIndex })).toBe(canonical);
    }),
  );
});
