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
      const { content } = json.paths[path].get.responses[answer.status];
      expect(complaints(content["application/json"].schema, answer.json, json, asked)).toEqual([]);
    }
  });
});

/** JSON Schema as far as the description uses it, read without any code of ours; members that it does not name are told. */
// oxlint-disable-next-line typescript/no-explicit-any -- a schema is what it is.
function complaints(schema: any, value: any, root: any, at: string): string[] {
  if (schema.$ref !== undefined) {
    return complaints(root.components.schemas[schema.$ref.split("/").at(-1)], value, root, at);
  }
  if (schema.enum !== undefined) return schema.enum.includes(value) ? [] : [`${at} is ${value}`];
  const kind = Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value;
  if (kind !== schema.type) return [`${at} is ${kind}, not ${schema.type}`];
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) return [`${at} is ${value}`];
  if (schema.format === "date-time" && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value)) return [`${at} is ${value}`];
  if (kind === "array") {
    return value.flatMap((each: unknown, place: number) => complaints(schema.items, each, root, `${at}/${place}`));
  }
  if (kind !== "object" || schema.properties === undefined) return [];
  const missing = schema.required.filter((name: string) => !Object.hasOwn(value, name));
  return [
    ...missing.map((name: string) => `${at} has no ${name}`),
    ...Object.entries(value).flatMap(([name, each]) =>
      Object.hasOwn(schema.properties, name)
        ? complaints(schema.properties[name], each, root, `${at}/${name}`)
        : [`${at} has ${name}`],
    ),
  ];
}
