import { describe, expect, test } from "vitest";
import { expectProven, hashedRekordRequest, type RunningRekorV2, startRekorV2 } from "./running-rekor-v2.ts";

const within = async (rekor: RunningRekorV2, timeout: string) =>
  rekor.post(hashedRekordRequest(`within ${timeout}`), { "grpc-timeout": timeout });

describe("a client that gives little time", () => {
  test("is told 504 when it is over, as by upstream's gateway; its entry is logged or not", async () => {
    await using rekor = await startRekorV2();
    const late = { status: 504, json: { code: 4, message: "context deadline exceeded", details: [] } };
    for (const timeout of ["1n", "-1S"]) expect(await within(rekor, timeout)).toMatchObject(late);
    // Held back by a client that came before.
    const append = rekor.log.append.bind(rekor.log);
    const held = Promise.withResolvers<void>();
    rekor.log.append = async (entry) => {
      await held.promise;
      return append(entry);
    };
    const request = hashedRekordRequest("held back");
    expect(await rekor.post(request, { "grpc-timeout": "20m" })).toMatchObject(late);
    held.resolve();
    // The first one waits until the thread that reads them has started.
    await expect.poll(async () => (await rekor.log.published()).head.size, { timeout: 30_000 }).toBe(1n);
    expect(await rekor.post(request)).toMatchObject({ status: 409 });
  });

  test("is answered when there is time enough, and told when it says none", async () => {
    await using rekor = await startRekorV2();
    for (const timeout of ["30S", "99999999H", "123456789m", "+30S", "0m", ""])
      expectProven(await within(rekor, timeout), rekor);
    for (const timeout of ["30", "S", "1s", "1S, 1S", "1e3S", "9223372036854775808m"]) {
      const refused = { status: 400, json: { code: 3, message: `invalid grpc-timeout: ${timeout}` } };
      expect(await within(rekor, timeout), timeout).toMatchObject(refused);
    }
  });
});
