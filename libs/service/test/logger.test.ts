import { describe, expect, test } from "vitest";
import { createLogger, nestLogger, oneLine, redact } from "../src/index.ts";

const TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJkZXYifQ.c2lnbmF0dXJl";
const KEY = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----";

function capture(human: boolean) {
  const lines: string[] = [];
  return { logger: createLogger({ level: "debug", human, write: (line) => lines.push(line) }), lines };
}

describe("no secret reaches the log", () => {
  const canary = "hunter2canary";
  const leaks: Record<string, unknown> = {
    authorization: `Bearer ${TOKEN}`,
    password: canary,
    request: { headers: 1, authorization: canary, cookie: canary },
    text: `connecting to postgres://chancery:${canary}@db:5432/chancery failed`,
    odd: `postgres://chancery:a@${canary}@db/x`,
    query: `POST /token client_secret=${canary}&grant_type=x`,
    json: JSON.stringify({ password: canary }),
    err: Object.assign(new Error(`token ${TOKEN} and ${KEY} and pgpassword=${canary}`), { cookie: [canary] }),
    key: KEY,
    // Of members, also of an error's: whatever they look like, and whatever they are besides.
    member: { token: { deep: canary }, kept: 1 },
    failure: Object.assign(new Error("an answer"), { authorization: canary }),
  };

  test.for([true, false])("whatever field it came in by (human: %s)", (human) => {
    const { logger, lines } = capture(human);
    for (const [name, value] of Object.entries(leaks)) logger.error({ [name]: value }, `about ${TOKEN}`);
    expect(lines).toHaveLength(Object.keys(leaks).length);
    const text = lines.join("");
    expect(text).not.toMatch(/hunter2canary|eyJ|MIGHAgEA|c2lnbmF0dXJl/);
    expect(text).toContain("postgres://chancery:[password]@db");
  });

  test("and what is logged keeps its secrets for whoever uses it on", () => {
    const { logger, lines } = capture(false);
    const request = { token: { deep: canary }, kept: 1, toJSON: () => ({ said: 2 }) };
    const err = Object.assign(new Error("no"), { token: canary });
    logger.error({ request, headers: { cookie: canary, kept: 3 }, err }, "failed");
    expect([request.token.deep, err.token]).toEqual([canary, canary]);
    expect(JSON.parse(lines.join(""))).toMatchObject({
      request: { said: 2 },
      headers: { cookie: "[redacted]", kept: 3 },
      err: { type: "Error", message: "no", token: "[redacted]" },
    });
  });

  test("a token is found wherever it begins in a word", () => {
    for (const before of ["", " ", "a.", "www.example.com-", "id-", '{"token":"', "/x/"]) {
      expect(redact(`${before}${TOKEN}"`)).toBe(`${before}[token]"`);
    }
  });

  test("a path as long as a client may send costs no more than others", () => {
    const started = performance.now();
    for (const part of ["-eyJ", "a.", "a-", "eyJ.", "a://b:"]) redact(part.repeat(100_000));
    // It took minutes; a generous bound for a busy machine.
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  test("what only looks alike is left alone", () => {
    const text = "https://issuer.example.com:8443/a@b and eyJust a word, bearer of news";
    expect(redact(text)).toBe(text);
  });
});

describe("a line stays one line", () => {
  test("whatever a client put into it", () => {
    const { logger, lines } = capture(true);
    logger.warn({ path: "/a\u001b[2J\r\nfake line\u202e" }, "odd\u0000");
    expect(lines).toHaveLength(1);
    expect(lines[0]!.trimEnd()).toBe(oneLine(lines[0]!.trimEnd()));
    expect(lines[0]).toContain("\\u001b[2J\\u000d\\u000afake line\\u202e");
  });
});

describe("Nest's own words", () => {
  test("its boot chatter is debug, its troubles are what they are", () => {
    const { logger, lines } = capture(false);
    const nest = nestLogger(logger);
    nest.log("Mapped {/readyz, GET} route", "RouterExplorer");
    nest.error(new Error("no"), "Injector");
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { level: "debug", from: "RouterExplorer", msg: "Mapped {/readyz, GET} route" },
      { level: "error", from: "Injector", msg: "no", err: { message: "no" } },
    ]);
  });
});
