import { Misconfigured } from "@chancery/fault";
import { isLoopback } from "./discovery.ts";

/** OpenID Connect Core, Section 2, iss: "using the https scheme … and no query or fragment components". */
const PLAIN_URL = /^https?:\/\/[A-Za-z0-9._-]+(?::[0-9]{1,5})?(?:\/[A-Za-z0-9._~!$&'()+,;=:@%/-]*)?$/;

/** What one `*` of a meta issuer stands for: one host label, or one part of the path. As upstream. */
const WILDCARD = "[-_a-zA-Z0-9]+";

/**
 * The issuers of the configuration. Plain http has no server to verify: only a process on this machine may use it, and
 * an issuer that is never asked because its keys are elsewhere.
 */
export function assertIssuerUrl(key: string, url: string, isNeverAsked: boolean): void {
  if (!PLAIN_URL.test(url) || !URL.canParse(url)) throw new Misconfigured(key, "is not an issuer URL");
  const { protocol, hostname } = new URL(url);
  if (protocol !== "https:" && !isLoopback(hostname) && !isNeverAsked) {
    throw new Misconfigured(key, "must be https: keys fetched over http can be anyone's");
  }
}

/**
 * A pattern's host must end in two labels of its own: in `https://*` or `https://login.*` the sender of
 * a token would choose whom we ask for keys.
 */
export function assertIssuerPattern(key: string, pattern: string, mayUseLoopbackHttp: boolean): void {
  if (pattern.includes("**")) throw new Misconfigured(key, "** has no meaning in a pattern");
  const example = pattern.replaceAll("*", "x");
  if (!PLAIN_URL.test(example) || !URL.canParse(example))
    throw new Misconfigured(key, "is not a pattern of issuer URLs");
  const [, scheme, host = ""] = /^(https?):\/\/([^/:]+)/.exec(pattern) ?? [];
  if (scheme !== "https" && !(mayUseLoopbackHttp && isLoopback(host))) {
    throw new Misconfigured(key, "must begin with https://");
  }
  if (
    host.includes("*") &&
    host
      .split(".")
      .slice(-2)
      .some((label, _place, last) => last.length < 2 || label.includes("*"))
  ) {
    throw new Misconfigured(key, "the last two labels of a pattern's host must not contain *");
  }
  if (/:[0-9]*\*/.test(pattern.slice(scheme === "https" ? 8 : 7))) {
    throw new Misconfigured(key, "the port of a pattern must not contain *");
  }
}

/** Whether an issuer is this one, or one that this pattern stands for. */
export function issuerMatcher(url: string): (issuer: string) => boolean {
  const expression = patternExpression(url);
  return (issuer) => expression.test(issuer);
}

/**
 * Anchored at both ends: GHSA-59jp-pj84-45mr was a pattern that was not.
 *
 * Each `*` but the last takes the shortest run before the text that follows it, and keeps it: `(?=(…))\1` is an
 * atomic group. No match is lost, for what a longer run would have taken consists of the same characters and goes to
 * the next `*`. Plain backtracking took 45 s for one `iss` under `https://*-*-*-*.example.com`, before any signature.
 */
export function patternExpression(pattern: string): RegExp {
  const [head = "", ...parts] = pattern.split("*").map((part) => RegExp.escape(part));
  const tail = parts.pop();
  const middle = parts.map((part, place) => `(?=(${WILDCARD}?${part}))\\${place + 1}`).join("");
  return new RegExp(`^${head}${middle}${tail === undefined ? "" : WILDCARD + tail}$`);
}
