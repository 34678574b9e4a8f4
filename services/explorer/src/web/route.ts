import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { LOG_NAMES, type LogName } from "./api/entries.ts";
import { readSearchAddress, type SearchAddress } from "./query/search-address.ts";

/** Which page an address is. */
export type Route =
  | { readonly page: "home" }
  | { readonly page: "search"; readonly search: SearchAddress }
  | { readonly page: "entry"; readonly log: LogName; readonly id: string }
  | { readonly page: "identity"; readonly san: string; readonly issuer: string | undefined }
  | { readonly page: "logs" }
  | { readonly page: "log"; readonly name: string }
  | { readonly page: "issuance"; readonly serial: string | undefined }
  | { readonly page: "health" }
  | { readonly page: "sign" }
  | { readonly page: "check" }
  | { readonly page: "keys" }
  | { readonly page: "signed-out" }
  | { readonly page: "nowhere" };

export function routeOf(url: URL): Route {
  const [first, second, third, ...rest] = url.pathname.split("/").slice(1).map(decoded);
  if (rest.length > 0) return { page: "nowhere" };
  switch (first) {
    case "":
      return { page: "home" };
    case "search":
      return { page: "search", search: readSearchAddress(url.searchParams) };
    case "entries": {
      const log = LOG_NAMES.find((name) => name === second);
      return log === undefined || third === undefined ? { page: "nowhere" } : { page: "entry", log, id: third };
    }
    case "identities":
      return identityRoute(url.searchParams);
    case "logs":
      if (second === undefined || second === "") return { page: "logs" };
      return { page: "log", name: third === undefined ? second : `${second}/${third}` };
    case "issuance":
      return { page: "issuance", serial: url.searchParams.get("serial") ?? undefined };
    case "health":
    case "sign":
    case "check":
    case "keys":
    case "signed-out":
      return { page: first };
    default:
      return { page: "nowhere" };
  }
}

function identityRoute(query: URLSearchParams): Route {
  const san = query.get("san");
  if (san === null || san === "") return { page: "nowhere" };
  return { page: "identity", san, issuer: query.get("issuer") ?? undefined };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function entryPath(log: string, id: string): string {
  return `/entries/${segment(log)}/${segment(id)}`;
}

export function identityPath(san: string, issuer?: string): string {
  const query = new URLSearchParams(issuer === undefined ? { san } : { san, issuer });
  return `/identities?${query.toString()}`;
}

/** Of one certificate in the ledger. */
export function certificatePath(serial: string): string {
  return `/issuance?${new URLSearchParams({ serial }).toString()}`;
}

export function logPath(name: string): string {
  return `/logs/${name.split("/").map(segment).join("/")}`;
}

/** Half a character cannot be encoded: it is written as U+FFFD, and found nowhere. */
function segment(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

export interface Navigation {
  readonly url: URL;
  readonly go: (path: string, options?: { readonly replace?: boolean }) => void;
}

export const NavigationContext = createContext<Navigation>({ url: new URL("http://localhost/"), go: () => {} });

export function useNavigation(): Navigation {
  return useContext(NavigationContext);
}
