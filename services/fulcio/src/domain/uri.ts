import { decodeHex, utf8 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";

/** The parts of a URI that identity rules compare. */
export interface UriParts {
  readonly scheme: string;
  readonly host: string;
}

// RFC 3986, Sections 3.1 to 3.3; the whole text is ASCII by construction. No userinfo: `https://good@evil`
// must not be readable as good.
const URI =
  /^([a-z][a-z0-9+.-]*):\/\/([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?(?:[/?#](?:[A-Za-z0-9._~!$&'()*+,;=:@/?#[\]-]|%[0-9a-fA-F]{2})*)?$/;

/** A hierarchical URI with a host, in the strict form: what two URL parsers could read differently is refused. */
export function parseUri(text: string, field: string): UriParts {
  const [, scheme, host] = URI.exec(text) ?? [];
  if (scheme === undefined || host === undefined) throw new Malformed(`${field} is not a URI with scheme and host`);
  return { scheme, host };
}

// RFC 3986, Appendix B, for what must become a URI.
const REFERENCE = /^([A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*)([^?#]*)((?:\?[^#]*)?(?:#.*)?)$/;

/**
 * A URI made of claims, in the form Go's net/url writes it: the path percent-encoded where it must be. Dot
 * segments are refused, for who compares and who resolves would see different names.
 */
export function canonicalUri(text: string, field: string): string {
  const [, origin, path, rest] = REFERENCE.exec(text) ?? [];
  if (origin === undefined || path === undefined || rest === undefined) {
    throw new Malformed(`${field} is not a URI with scheme and host`);
  }
  for (const segment of path.split("/")) assertNoDotSegment(segment);
  const uri = `${origin}${escapePath(path)}${rest}`;
  parseUri(uri, field);
  return uri;
}

/**
 * Appends claims to an origin as path elements: `https://github.com` and `octo/repo` give
 * `https://github.com/octo/repo`.
 *
 * Go's `URL.JoinPath` would clean `.` and `..` away, so that a claim could climb out of what it stands
 * under; here such an element is refused, and so is an empty one.
 */
export function joinPath(origin: string, ...elements: readonly string[]): string {
  for (const segment of elements.flatMap((element) => element.split("/"))) assertPlainSegment(segment);
  return origin + escapePath(`/${elements.join("/")}`);
}

function assertPlainSegment(segment: string): void {
  if (segment === "") throw new Malformed("a claim that names a path has an empty segment");
  assertNoDotSegment(segment);
}

function assertNoDotSegment(segment: string): void {
  const read = segment.replaceAll(/%2e/gi, ".");
  if (read === "." || read === "..") throw new Malformed("a claim that names a path has a dot segment");
}

/** What Go leaves alone in a path, although its own escaper would not write all of it (net/url, validEncoded). */
const VALID_PATH = /^(?:[A-Za-z0-9._~!$&'()*+,;=:@/[\]-]|%[0-9a-fA-F]{2})*$/;
/** What its escaper leaves alone (net/url, shouldEscape with encodePath). */
const UNESCAPED = /^[A-Za-z0-9._~$&+,/:;=@-]$/;

/**
 * Percent-encodes a path as Go's `URL.EscapedPath` does, so that certificates equal upstream's byte for
 * byte: a valid encoding is kept as it stands, anything else is decoded and encoded anew as a whole.
 */
export function escapePath(path: string): string {
  if (VALID_PATH.test(path)) return path;
  if (/%(?![0-9a-fA-F]{2})/.test(path)) throw new Malformed("a claim that names a path has a broken percent-encoding");
  let escaped = "";
  for (const [part, hex] of path.matchAll(/%([0-9a-fA-F]{2})|[^%]+/g)) {
    for (const octet of hex === undefined ? utf8(part) : decodeHex(hex, "path")) escaped += escapeOctet(octet);
  }
  return escaped;
}

function escapeOctet(octet: number): string {
  const character = String.fromCharCode(octet);
  return UNESCAPED.test(character) ? character : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`;
}
