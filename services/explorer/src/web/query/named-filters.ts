import { type Filters, only, search, type Understanding } from "./reading.ts";

/** Names that a person may write before a value: `issuer:https://…`. The API's own, and short ones. */
const FIELD_NAMES: Readonly<Record<string, string>> = {
  email: "san",
  identity: "san",
  repo: "sourceRepositoryUri",
  repository: "sourceRepositoryUri",
  predicate: "predicateType",
  subject: "subjectDigest",
  ...Object.fromEntries(
    ["san", "sanPrefix", "sanGlob", "sanDomain", "issuer", "kind", "predicateType", "subjectDigest", "subjectName"]
      .concat([
        "image",
        "log",
        "from",
        "to",
        "key",
        "digest",
        "sourceRepositoryUri",
        "sourceRepositoryRef",
        "buildSignerUri",
      ])
      .concat(["buildConfigUri", "buildTrigger", "runInvocationUri", "sourceRepositoryOwnerUri", "tokenSubject"])
      .concat(["githubWorkflowRepository", "githubWorkflowRef", "githubWorkflowName", "githubWorkflowSha"])
      .map((name) => [name.toLowerCase(), name]),
  ),
};

/** Of these an entry has one alone, or the API takes one: of several it could never be all. */
const SINGLE = new Set(["kind", "log", "from", "to"]);

/** `issuer:https://accounts.example.com kind:dsse`, all of which must hold, also of one name: an entry may have several signers. */
export function namedFilters(text: string): Understanding | undefined {
  const all: Record<string, string[]> = {};
  const any: Record<string, string[]> = {};
  for (const part of text.split(/\s+/)) {
    const [, name, value] = /^([A-Za-z]+):(.+)$/.exec(part) ?? [];
    const known = name === undefined ? undefined : FIELD_NAMES[name.toLowerCase()];
    if (known === undefined || value === undefined) return undefined;
    (any[known] ??= []).push(value);
    (all[SINGLE.has(known) ? known : freeGroup(all, known)] ??= []).push(value);
  }
  if (Object.keys(all).length === Object.keys(any).length) return only(search("filters", all));
  return {
    reading: search("filters, each of which holds", all),
    others: [search("filters, any value of a name", any)],
  };
}

/** The first group of a name that is not taken: `san`, `san.2`, `san.3`. */
export function freeGroup(filters: Filters, name: string): string {
  let [group, number] = [name, 1];
  while (filters[group] !== undefined) group = `${name}.${++number}`;
  return group;
}
