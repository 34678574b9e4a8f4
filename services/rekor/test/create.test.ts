import { createHash, createPublicKey } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dsse, everyKind, hashedrekord, type Proposal } from "./proposals.ts";
import { ENTRIES, expectProven, onlyEntry, type RunningRekor, startRekor } from "./running-rekor.ts";

let rekor: RunningRekor;
beforeAll(async () => {
  rekor = await startRekor();
});
afterAll(async () => {
  await rekor[Symbol.asyncDispose]();
});

const post = (path: string, body: unknown, headers?: Record<string, string>) =>
  rekor.request("POST", path, body, headers);
const get = (path: string) => rekor.request("GET", path);
const logged = (proposal: Proposal) => rekor.logged(proposal);
const hexOf = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");

describe("a new entry", () => {
  test("of every kind is answered 201 with its proof, a bare ETag and a relative Location", async () => {
    for (const proposal of await everyKind()) {
      const answer = await post(ENTRIES, proposal);
      expect(answer.status, answer.text).toBe(201);
      const id = expectProven(answer.json, rekor.pem);
      expect(answer.headers["etag"]).toBe(id);
      expect(answer.headers["location"]).toBe(`${ENTRIES}/${id}`);
      expect(answer.headers["content-type"]).toMatch(/^application\/json/);
      expect(Object.keys(answer.json[id]).toSorted()).toEqual([
        "body",
        "integratedTime",
        "logID",
        "logIndex",
        "verification",
      ]);
      const spki = createPublicKey(rekor.pem).export({ type: "spki", format: "der" });
      expect(answer.json[id].logID).toBe(hexOf(spki));
      expect(answer.json[id].verification.inclusionProof.hashes).toBeInstanceOf(Array);
    }
  });

  test("that is there already is answered 409 with its Location, and GET there finds it at once", async () => {
    const proposal = await hashedrekord();
    const id = await logged(proposal);
    const again = await post(ENTRIES, proposal);
    expect(again.status).toBe(409);
    expect(again.json).toEqual({
      code: 409,
      message: `an equivalent entry already exists in the transparency log with UUID ${id}`,
    });
    expect(again.headers["location"]).toBe(`${ENTRIES}/${id}`);
    expect(again.headers["etag"]).toBeUndefined();
    const found = await get(again.headers["location"]!);
    expect(found.status).toBe(200);
    expect(expectProven(found.json, rekor.pem)).toBe(id);
  });

  test("is answered letter for letter as it is read afterwards", async () => {
    const answer = await post(ENTRIES, await hashedrekord());
    const read = await get(answer.headers["location"]!);
    expect(answer.text).toBe(read.text);
    expect(answer.text).toBe(JSON.stringify(answer.json));
    expect(answer.headers["content-type"]).toBe(read.headers["content-type"]);
  });

  test("sent many times at once becomes one entry", async () => {
    const proposal = await hashedrekord();
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(ENTRIES, proposal)));
    const locations = new Set(answers.map((answer) => answer.headers["location"]));
    expect(locations.size).toBe(1);
    expect(answers.map((answer) => answer.status).filter((status) => status !== 201 && status !== 409)).toEqual([]);
    const index = new Set(
      (await Promise.all([...locations].map((location) => get(location!)))).map(
        (answer) => onlyEntry(answer.json).logIndex,
      ),
    );
    expect(index.size).toBe(1);
  });

  test("that does not verify is answered 400 with the reason", async () => {
    const proposal = await hashedrekord();
    proposal.spec.data = (await hashedrekord()).spec.data;
    const answer = await post(ENTRIES, proposal);
    expect(answer.status).toBe(400);
    expect(answer.json.code).toBe(400);
    expect(answer.json.message).toBe(
      "error processing entry: spec.signature.content: signature does not verify over the digest with this key",
    );
  });

  test("with a url in it is answered 400: the log fetches nothing", async () => {
    const proposal = await hashedrekord();
    proposal.spec.signature.publicKey = { url: "http://169.254.169.254/" };
    const missing = await post(ENTRIES, proposal);
    expect(missing.json).toEqual({
      code: 400,
      message: "error processing entry: spec.signature.publicKey.url: the log fetches nothing, send the content itself",
    });
    const both = await hashedrekord();
    both.spec.signature.publicKey.url = "http://169.254.169.254/";
    const answer = await post(ENTRIES, both);
    expect(answer.status).toBe(400);
    expect(answer.json.message).toContain("spec.signature.publicKey.url: the log fetches nothing");
  });

  test("breaks the schema by name: 422, go-openapi's code, the first violation only", async () => {
    const good = await hashedrekord();
    const semver = "apiVersion in body should match '^(0|[1-9]\\d*)";
    const violations: [unknown, number, string][] = [
      [{ ...good, kind: undefined }, 602, "kind in body is required"],
      [{ ...good, kind: null }, 602, "kind in body is required"],
      [{ ...good, kind: "banana" }, 422, 'invalid kind value: "banana"'],
      [{ ...good, kind: "__proto__" }, 422, 'invalid kind value: "__proto__"'],
      [{ ...good, apiVersion: undefined }, 602, "apiVersion in body is required"],
      [{ ...good, apiVersion: "1" }, 605, semver],
      [{ ...good, apiVersion: "0.".repeat(100_000) }, 605, semver],
      [{ ...good, spec: undefined }, 602, "spec in body is required"],
      [{ kind: "hashedrekord" }, 602, "apiVersion in body is required"],
      ["", 602, "proposedEntry in body is required"],
    ];
    for (const [body, code, message] of violations) {
      const answer = await post(ENTRIES, body);
      expect(answer.status, message).toBe(422);
      expect(answer.json.code).toBe(code);
      expect(answer.json.message.startsWith(message), answer.json.message).toBe(true);
    }
  });

  test("that is no JSON, or ambiguous JSON, is answered 400", async () => {
    const text = JSON.stringify(await hashedrekord());
    const bodies = [
      "{",
      "[]",
      "7",
      "null",
      `${text} `.slice(0, -2),
      `${text}{}`,
      text.replace('"kind"', '"kind":"hashedrekord","kind"'),
      `{"__proto__":{},${text.slice(1)}`,
      text.replace('"0.0.1"', "1"),
      text.replace('"0.0.1"', '"\\ud800"'),
      `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
      text.replace("{", "\ufeff{"),
    ];
    for (const body of bodies) {
      const answer = await post(ENTRIES, body);
      expect(answer.status, `${body.slice(0, 40)}: ${answer.text}`).toBe(400);
      expect(answer.json.code).toBe(400);
    }
  });

  test("of another content type is answered 415, and too large 413", async () => {
    const text = JSON.stringify(await hashedrekord());
    const typed = await post(ENTRIES, text, { "content-type": "text/plain" });
    expect(typed.status).toBe(415);
    expect(typed.json).toEqual({
      code: 415,
      message: 'unsupported media type "text/plain", only [application/json] are allowed',
    });
    const good = await post(ENTRIES, text, { "content-type": "Application/JSON; charset=utf-8" });
    expect(good.status).toBe(201);
    const padded = await post(ENTRIES, text + " ".repeat(64 * 1024));
    expect(padded.status).toBe(413);
    const huge = await post(ENTRIES, " ".repeat(10 * 1024 * 1024 + 1));
    expect([huge.status, huge.json.message]).toEqual([413, "body: longer than 10485760 bytes"]);
  });

  test("may carry an envelope of many megabytes", async () => {
    const proposal = await dsse({ payload: "x".repeat(6 * 1024 * 1024), payloadType: "text/plain" });
    await logged(proposal);
  });

  test("of a kind that is none, or in a version that is not here, is refused", async () => {
    const good = await hashedrekord();
    const kind = await post(ENTRIES, { ...good, kind: "deb" });
    expect([kind.status, kind.json.message]).toEqual([422, 'invalid kind value: "deb"']);
    const version = await post(ENTRIES, { ...good, apiVersion: "0.0.2" });
    expect(version.status).toBe(400);
  });
});
