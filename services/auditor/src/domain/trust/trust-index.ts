import { parseJson } from "@chancery/encoding";
import { isObject } from "../json-member.ts";
import { sha256 } from "../merkle.ts";
import { type Targets, trustedParties } from "./trusted-party.ts";

const NAME = "/trust";
const URLS = /[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi;

/** What the answer at `/trust` is held against. */
export interface Indexed {
  readonly targets: Targets;
  /** The first root, where clients begin. */
  readonly root: Uint8Array;
  /** Scheme, host and port of who answered. */
  readonly origin: string;
}

/**
 * Why what `/trust` answers, which nothing signs and of which people copy the checksum and the line for their client, leads
 * them to another trust root; undefined: it does not.
 */
export function trustIndexFault(bytes: Uint8Array, { targets, root, origin }: Indexed): string | undefined {
  const index = jsonOf(bytes);
  if (!isObject(index)) return "is not as this installation writes it";
  const { tuf } = index;
  const { mirror, root: first, rootSha256, cosign } = isObject(tuf) ? tuf : {};
  const print = sha256(root).toHex();
  if (rootSha256 !== undefined && rootSha256 !== print) {
    return `tells another rootSha256 than that of the first root, ${print}`;
  }
  const line = `cosign initialize --mirror ${String(mirror)} --root ${String(first)} --root-checksum ${print}`;
  if (cosign !== undefined && cosign !== line) return "tells another line for cosign than follows from the rest";
  const known = new Set([origin, ...trustedParties(targets).map(({ url }) => URL.parse(url)?.origin)]);
  const other = urlsIn(index).find((url) => !known.has(URL.parse(url)?.origin));
  return other && `names a server that the trust root does not: ${other.slice(0, 200)}`;
}

/** Which file it tells a sum of that is none of these; undefined: there is none. Between two answers it may have followed. */
export function indexedSumFault(bytes: Uint8Array, files: ReadonlyMap<string, Uint8Array>): string | undefined {
  const index = jsonOf(bytes);
  const listed = isObject(index) && Array.isArray(index["files"]) ? index["files"].filter(isObject) : [];
  const other = listed.find(({ name, sha256: told }) => {
    const file = files.get(String(name));
    return file !== undefined && told !== sha256(file).toHex();
  });
  return other && `tells another SHA-256 of ${String(other["name"])} than that file has`;
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes, NAME);
  } catch {
    return undefined;
  }
}

/** Wherever they stand, in names of members too. */
function urlsIn(value: unknown): string[] {
  if (typeof value === "string") return [...value.matchAll(URLS)].map(([url]) => url);
  if (Array.isArray(value)) return value.flatMap(urlsIn);
  return isObject(value) ? urlsIn(Object.entries(value)) : [];
}
