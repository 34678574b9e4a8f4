import { parseJson } from "@chancery/encoding";
import { isObject } from "../json-member.ts";
import { sha256 } from "../merkle.ts";
import { type Targets, trustedParties } from "./trusted-party.ts";

const NAME = "/trust";
/** That of an installation has some 5 KiB; nothing signs it, and whoever answers could send any length. */
const MOST_BYTES = 65_536;
const [MOST_SCHEME, MOST_AUTHORITY] = [32, 256];
const SCHEME = /[a-z][a-z0-9+.-]*$/i;
const END_OF_AUTHORITY = /[\s"'<>/\\?#]/;

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
  const mirrors = [...known].map((server) => `${server}/tuf`);
  for (const text of textsIn(index)) {
    const other = serversIn(text).find((server) => !known.has(URL.parse(server)?.origin ?? server));
    if (other !== undefined) return `names a server that the trust root does not: ${other}`;
  }
  // Into the line that people give to a shell: of this server, too, it could carry another root, or a command.
  if (mirror !== undefined && !mirrors.some((one) => one === mirror))
    return "tells a mirror that is none of its servers' /tuf";
  if (first !== undefined && first !== `${String(mirror)}/root.json`) return "tells a root that is not its mirror's";
  return undefined;
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
  if (bytes.length > MOST_BYTES) return undefined;
  try {
    return parseJson(bytes, NAME);
  } catch {
    return undefined;
  }
}

/** Wherever they stand, names of members too. */
function* textsIn(value: unknown): Iterable<string> {
  if (typeof value === "string") yield value;
  else if (Array.isArray(value)) for (const one of value) yield* textsIn(one);
  else if (isObject(value)) yield* textsIn(Object.entries(value).flat());
}

/**
 * Scheme, host and port of each URL. One regular expression for a whole URL goes over a long word without any once for each
 * of its letters: 64 KiB kept this process busy for 20 s, and the logs sign in it.
 */
function serversIn(text: string): string[] {
  const servers: string[] = [];
  for (let at = text.indexOf("://"); at >= 0; at = text.indexOf("://", at + 1)) {
    const [scheme] = SCHEME.exec(text.slice(Math.max(0, at - MOST_SCHEME), at)) ?? [];
    if (scheme === undefined) continue;
    const rest = text.slice(at + 3, at + 3 + MOST_AUTHORITY);
    const end = rest.search(END_OF_AUTHORITY);
    // Of what has no end here nothing is read: `https://known.example…` may go on as another's.
    if (end >= 0 || rest.length < MOST_AUTHORITY) servers.push(`${scheme}://${end < 0 ? rest : rest.slice(0, end)}`);
    else servers.push(`${scheme}://${rest}…`);
  }
  return servers;
}
