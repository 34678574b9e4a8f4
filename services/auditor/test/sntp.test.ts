import { describe, expect, test } from "vitest";
import { type ClockReading, encodeSntpRequest, readSntpAnswer, SntpFault } from "../src/domain/clock/sntp.ts";
import { askTime, type TimeServer } from "../src/public/sntp-client.ts";
import { TimeServersWatch } from "../src/watch/time-servers-watch.ts";
import { ntpAnswer, startMockTimeServer } from "./mock-time-server.ts";

const NOON = Date.parse("2026-11-21T12:00:00Z");
const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const request = encodeSntpRequest(NONCE);

/** An answer to the request of now with some octets changed. */
function answer(octets: Readonly<Record<number, number>> = {}, at = NOON): Buffer {
  const packet = ntpAnswer(request, at);
  for (const [place, octet] of Object.entries(octets)) packet[Number(place)] = octet;
  return packet;
}

test("a request is RFC 4330's, and tells nothing of who asks", () => {
  expect(Buffer.from(request).toString("hex")).toBe(`23${"00".repeat(39)}0102030405060708`);
});

describe("a clock", () => {
  test.for([0, 250, -250, 5_000, -86_400_000, 3 * 365 * 86_400_000])("that is %i ms ahead is read so", (ahead) => {
    const { offsetMs, doubtMs } = readSntpAnswer(answer({}, NOON + ahead + 20), { sentAt: NOON, tookMs: 40 });
    expect(offsetMs).toBeCloseTo(ahead, 2);
    expect(doubtMs).toBeCloseTo(20, 2);
  });

  test.for(["2036-02-07T06:28:15.500Z", "2036-02-07T06:28:16.500Z", "2100-01-01T00:00:00Z"])(
    "is read over the end of an era, at %s",
    (time) => {
      const now = Date.parse(time);
      expect(readSntpAnswer(answer({}, now + 700), { sentAt: now, tookMs: 0 }).offsetMs).toBeCloseTo(700, 2);
      expect(readSntpAnswer(answer({}, now - 700), { sentAt: now, tookMs: 0 }).offsetMs).toBeCloseTo(-700, 2);
    },
  );

  test("whose answer took long is doubted by half of that", () => {
    const { offsetMs, doubtMs } = readSntpAnswer(answer({}, NOON), { sentAt: NOON, tookMs: 3_000 });
    expect([Math.round(offsetMs), Math.round(doubtMs)]).toEqual([-1_500, 1_500]);
  });
});

describe("no time is taken from", () => {
  test.for<[string, Readonly<Record<number, number>>, RegExp]>([
    ["a client", { 0: 0x23 }, /mode 3/],
    ["a broadcast", { 0: 0x25 }, /mode 5/],
    ["version 0", { 0: 0x04 }, /version 0/],
    ["version 5", { 0: 0x2c }, /version 5/],
    ["a server that is not synchronized (leap indicator 3)", { 0: 0xe4 }, /not synchronized/],
    ["stratum 16", { 1: 16 }, /not synchronized/],
    ["a root delay of a second", { 5: 1 }, /a second or more/],
    ["a negative root delay", { 4: 0xff }, /a second or more/],
    ["a root dispersion of a second", { 9: 1 }, /a second or more/],
    ["a transmit timestamp of zero", Object.fromEntries(Array.from({ length: 8 }, (_, at) => [40 + at, 0])), /no time/],
    ["an answer that was sent before its request came", { 43: 0 }, /longer than/],
  ])("%s", ([, octets, why]) => {
    expect(() => readSntpAnswer(answer(octets), { sentAt: NOON, tookMs: 10 })).toThrow(why);
  });

  test.for(["DENY", "RSTR", "RATE"])("a kiss-o'-death, %s", (kiss) => {
    const packet = answer({ 1: 0 });
    packet.write(kiss, 12, "latin1");
    expect(() => readSntpAnswer(packet, { sentAt: NOON, tookMs: 10 })).toThrow(expect.objectContaining({ kiss }));
  });

  test("a kiss-o'-death with control characters, and they are not repeated", () => {
    const packet = answer({ 1: 0, 12: 27 });
    expect(() => readSntpAnswer(packet, { sentAt: NOON, tookMs: 10 })).toThrow("(????)");
  });
});

describe("over the network, against a mock server", () => {
  const clocks = { now: Date.now, elapsed: () => performance.now() };

  test("the time is read from the answer with our nonce, whatever else arrives before it", async () => {
    await using mock = await startMockTimeServer((asked) => {
      const forged = ntpAnswer(asked, Date.now() + 3_600_000);
      forged.fill(0, 24, 32);
      return [forged, Buffer.alloc(0), Buffer.alloc(47), ntpAnswer(asked, Date.now())];
    });
    const { offsetMs, doubtMs } = await askTime(mock.server, clocks);
    expect(Math.abs(offsetMs)).toBeLessThanOrEqual(doubtMs + 1_000);
    expect(mock.requests).toHaveLength(1);
    const again = await askTime(mock.server, clocks);
    expect(again.doubtMs).toBeLessThan(3_000);
    expect(mock.requests[0]?.subarray(40)).not.toEqual(mock.requests[1]?.subarray(40));
  });

  test("answers that are never ours, and none at all, end after the time they are given", async () => {
    await using mock = await startMockTimeServer((asked) => [ntpAnswer(Buffer.from(asked).fill(7, 40), Date.now())]);
    await expect(askTime(mock.server, clocks, 100)).rejects.toThrow(/does not answer within 0\.1 s/);
  });

  test("a port where nobody listens is a server that cannot be reached, or is silent", async () => {
    const closed = await startMockTimeServer(() => []);
    await closed[Symbol.asyncDispose]();
    await expect(askTime(closed.server, clocks, 200)).rejects.toThrow(SntpFault);
  });
});

const askFar = async () => ({ offsetMs: 2_500, doubtMs: 1_600 });

describe("this machine's clock and three time servers", () => {
  const SERVERS: readonly TimeServer[] = ["a", "b", "c"].map((host) => ({ host, port: 123 }));

  /** What each server says of itself now: how far it is ahead, or why it says nothing. */
  function watching(servers = SERVERS) {
    let now = NOON;
    const says = new Map<string, number | SntpFault>(servers.map(({ host }) => [host, 0]));
    const asked: string[] = [];
    const checks: [string, string, number | undefined][] = [];
    const report = {
      passed: (_: string, what: string) => void checks.push(["passed", what, undefined]),
      unknown: () => {},
      notAsked: () => {},
      failedAll: async () => {},
      failed: async (
        _: string,
        { trouble, what, toleratedMs }: { trouble: string; what: string; toleratedMs?: number },
      ) => void checks.push([trouble, what, toleratedMs]),
    };
    const ask = async ({ host }: TimeServer): Promise<ClockReading> => {
      asked.push(host);
      const said = says.get(host);
      if (typeof said === "number") return { offsetMs: said, doubtMs: 10 };
      throw said ?? new SntpFault("is nobody");
    };
    const watch = new TimeServersWatch(servers, { report, now: () => now, ask });
    const check = async (seconds = 64) => {
      now += seconds * 1_000;
      asked.length = 0;
      await watch.check();
      return checks.at(-1);
    };
    return { says, check, asked };
  }

  test("agree", async () => {
    const { check } = watching();
    expect(await check()).toEqual(["passed", "3 time servers and this clock agree within 0.000 s", undefined]);
  });

  test("that say the same against it: the clock is wrong, and is given a minute", async () => {
    const { check, says } = watching();
    for (const { host } of SERVERS) says.set(host, -5_000);
    const what = "this machine's clock is ahead of 3 of 3 time servers: a:123 by 5.0 s, b:123 by 5.0 s, c:123 by 5.0 s";
    expect(await check()).toEqual(["clock", what, 60_000]);
  });

  test("of which one is wrong: it is named, and the clock is not accused", async () => {
    const { check, says } = watching();
    says.set("b", 40_000);
    expect(await check()).toEqual(["time-source", expect.stringContaining("b:123 by -40.0 s"), 900_000]);
  });

  test("of which none answers is told after a quarter of an hour, and one that answers is enough", async () => {
    const { check, says } = watching();
    for (const { host } of SERVERS) says.set(host, new SntpFault("does not answer within 3 s"));
    expect(await check()).toEqual([
      "time-source",
      expect.stringContaining("c:123 does not answer within 3 s"),
      900_000,
    ]);
    says.set("a", 0);
    expect((await check())?.[0]).toBe("passed");
  });

  test("that say never again are not asked again; one that says less often is, after an hour", async () => {
    const { check, says, asked } = watching();
    says.set("a", new SntpFault("asks not to be asked (DENY)", "DENY"));
    says.set("b", new SntpFault("asks not to be asked (RATE)", "RATE"));
    expect((await check())?.[0]).toBe("passed");
    await check();
    expect(asked).toEqual(["c"]);
    await check(3_600);
    expect(asked).toEqual(["b", "c"]);
    says.set("c", new SntpFault("asks not to be asked (RSTR)", "RSTR"));
    await check(7_200);
    expect(await check()).toEqual([
      "time-source",
      expect.stringContaining("all of them asked not to be asked"),
      900_000,
    ]);
    expect(asked).toEqual([]);
  });

  test("a delay that could explain it accuses nobody", async () => {
    let told = "";
    const report = {
      passed: (_: string, what: string) => void (told = what),
      unknown: () => {},
      notAsked: () => {},
      failedAll: async () => {},
      failed: async () => {},
    };
    await new TimeServersWatch([{ host: "far", port: 123 }], { report, now: () => NOON, ask: askFar }).check();
    expect(told).toMatch(/agree within 2\.500 s/);
  });
});
