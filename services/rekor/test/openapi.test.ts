import { answerComplaints } from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningSearch, startSearch } from "./running-search.ts";
import { seed, WORKFLOW } from "./search-seed.ts";

let rekor: RunningSearch;
beforeAll(async () => {
  rekor = await startSearch();
  await seed(rekor);
});
afterAll(async () => {
  await rekor[Symbol.asyncDispose]();
});

describe("the API's description", () => {
  test("names every path and every filter", async () => {
    const { json } = await rekor.get("/api/chancery/v1/openapi.json");
    expect(json.openapi).toBe("3.1.0");
    expect(Object.keys(json.paths)).toHaveLength(5);
    const { parameters } = json.paths["/api/chancery/v1/search"].get;
    const names = parameters.map((each: { name: string }) => each.name);
    for (const name of [
      "digest",
      "key",
      "sanGlob",
      "sourceRepositoryUri",
      "githubWorkflowSha",
      "buildTrigger",
      "cursor",
    ]) {
      expect(names).toContain(name);
    }
    expect(new Set(names).size).toBe(names.length);
  });

  test("says what each answer is", async () => {
    const { json } = await rekor.get("/api/chancery/v1/openapi.json");
    const answers: [string, string][] = [
      ["/api/chancery/v1/search", "/api/chancery/v1/search?limit=2"],
      ["/api/chancery/v1/entries/{log}/{entry}", "/api/chancery/v1/entries/rekor/1"],
      ["/api/chancery/v1/entries/{log}/{entry}", "/api/chancery/v1/entries/rekor/3"],
      ["/api/chancery/v1/entries/{log}/{entry}", "/api/chancery/v1/entries/rekor-v2/0"],
      ["/api/chancery/v1/logs", "/api/chancery/v1/logs"],
      ["/api/chancery/v1/logs/{log}/growth", "/api/chancery/v1/logs/rekor/growth"],
      ["/api/chancery/v1/identities", `/api/chancery/v1/identities?san=${encodeURIComponent(WORKFLOW)}`],
      ["/api/chancery/v1/search", "/api/chancery/v1/search?limit=x"],
      ["/api/chancery/v1/entries/{log}/{entry}", "/api/chancery/v1/entries/rekor/99"],
    ];
    for (const [path, asked] of answers) {
      const answer = await rekor.get(asked);
      expect(answerComplaints(json, path, answer.status, answer.json)).toEqual([]);
    }
  });
});
