import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Forbidden, Malformed, Pushback, Unauthenticated, Unavailable } from "@chancery/fault";
import { FailureLog } from "../src/failure-log.ts";
import { failureOf } from "../src/failure.ts";
import { createLogger } from "../src/index.ts";
import { start } from "./echo-service.ts";

const request = { id: "1", method: "POST", url: "/api/v2/signingCert?x" };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function failures() {
  const lines: string[] = [];
  const log = new FailureLog(createLogger({ level: "info", human: false, write: (line) => lines.push(line) }));
  const report = (error: Error, times = 1, from = request) => {
    for (let time = 0; time < times; time++) log.report(failureOf(error), from);
  };
  const taken = () => lines.splice(0).map((line) => JSON.parse(line) as Record<string, unknown>);
  return { report, taken };
}

describe("failed requests in the log", () => {
  test("a few have a line each, without the query", () => {
    const { report, taken } = failures();
    report(new Unavailable("no keys", 1));
    report(new Error("a fault of ours"));
    expect(taken()).toMatchObject([
      { level: "warn", path: "/api/v2/signingCert", status: 503, msg: "no keys" },
      { level: "error", path: "/api/v2/signingCert", status: 500, msg: "a fault of ours" },
    ]);
  });

  // Each token of an invented tenant is a 503, and anyone can send thousands in a second.
  test("a storm does not fill the disk: twenty in a second, then their number; other levels have their own", () => {
    const { report, taken } = failures();
    report(new Unavailable("no keys", 1), 5_000);
    report(new Error("a fault of ours"));
    expect(taken().map(({ level }) => level)).toEqual([...Array.from({ length: 20 }, () => "warn"), "error"]);
    vi.advanceTimersByTime(1_000);
    expect(taken()).toMatchObject([{ level: "warn", more: 4_980 }]);
    report(new Unavailable("no keys", 1));
    expect(taken()).toHaveLength(1);
    vi.advanceTimersByTime(10_000);
    expect(taken()).toEqual([]);
  });

  test("who may not write has a line with the reason and without a stack, who may not read or was only mistaken has none", () => {
    const { report, taken } = failures();
    report(new Forbidden("ab12 is not one of them"), 30);
    report(new Malformed("spec: is missing"));
    expect(taken()).toHaveLength(20);
    vi.advanceTimersByTime(1_000);
    expect(taken()).toMatchObject([{ level: "info", more: 10 }]);
    report(new Unauthenticated("the token is for another audience"));
    const path = "/api/v2/signingCert";
    const told = { level: "info", requestId: "1", method: "POST", path, status: 401, code: "unauthenticated" };
    const [line] = taken();
    expect(line).toMatchObject({ ...told, msg: "the token is for another audience" });
    expect(line).not.toHaveProperty("err");
    report(new Unauthenticated("reading here needs the role reader"), 1, { ...request, method: "GET" });
    expect(taken()).toEqual([]);
  });

  test("pushback is no failure", () => {
    const { report, taken } = failures();
    report(new Pushback("full", 1), 100);
    vi.advanceTimersByTime(1_000);
    expect(taken()).toEqual([]);
  });

  test("is how a service reports", async () => {
    vi.useRealTimers();
    const { inject, lines } = await start();
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    for (let time = 0; time < 30; time++) await inject("GET", "/api/v1/unplanned");
    vi.useRealTimers();
    expect(lines.filter((line) => line.includes('"status":500'))).toHaveLength(20);
  });
});
