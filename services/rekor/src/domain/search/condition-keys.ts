import type { SearchKey } from "@chancery/log";
import { askedKeys, nameKeys, nameStart, termKey } from "../search-key.ts";
import { isFoundByDomain } from "./san.ts";
import type { Condition } from "./condition.ts";

/** Keys of which every entry that meets a condition has one; or names, of whose entries it is one. */
export type ConditionKeys =
  | { readonly by: "keys"; readonly keys: readonly SearchKey[] }
  | { readonly by: "names"; readonly prefix: string; readonly otherwise: readonly SearchKey[] | undefined }
  /** None of which it can be said. */
  | { readonly by: "all" };

/** Whoever finds an entry by them MUST still hold it against the condition. */
export function conditionKeys(condition: Condition): ConditionKeys {
  const { value } = condition;
  switch (condition.by) {
    case "digest":
      return { by: "keys", keys: [...askedKeys(value), termKey("dependency", value)] };
    case "image":
    case "subjectDigest":
      return { by: "keys", keys: askedKeys(value) };
    case "san":
      // Whatever it looks like, it is found as a name is.
      return { by: "keys", keys: nameKeys(askedKeys(value).map(({ bytes }) => bytes)) };
    case "sanDomain":
      return domainKeys(value) ?? { by: "all" };
    case "sanPrefix":
      return names(value, undefined);
    case "sanGlob":
      return names(condition.glob.literalStart, condition.glob.domain);
    case "extension":
      return { by: "keys", keys: [termKey("extension", value)] };
    default:
      return { by: "keys", keys: [termKey(condition.by, value)] };
  }
}

/**
 * Where more names begin so than can be asked for one by one, entries are looked through that are of the host that they
 * all are of, if they are of one; else all entries.
 */
function names(prefix: string, domain: string | undefined): ConditionKeys {
  const host = domain ?? /^[a-z][a-z0-9+.-]*:\/\/([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\//.exec(prefix)?.[1];
  const otherwise = host === undefined ? undefined : domainKeys(host);
  // A domain that a pattern ends in says more than the nothing that it begins with.
  if (prefix === "") return otherwise ?? { by: "all" };
  return { by: "names", prefix: nameStart(prefix), otherwise: otherwise?.keys };
}

function domainKeys(domain: string): Extract<ConditionKeys, { readonly by: "keys" }> | undefined {
  return isFoundByDomain(domain) ? { by: "keys", keys: [termKey("domain", domain)] } : undefined;
}
