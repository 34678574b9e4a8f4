import { Misconfigured } from "@chancery/fault";
import { isLoopback } from "./discovery.ts";
import type { IssuerSettings } from "./issuer-settings.ts";

/**
 * OpenID Connect Core, Section 2, iss: "using the https scheme … and no query or fragment components". As upstream, which
 * asks whatever its HTTP client can ask, http and addresses are taken where the operator wrote them down.
 */
const PLAIN_URL =
  /^https?:\/\/(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:\/[A-Za-z0-9._~!$&'()+,;=:@%/-]*)?$/;

/** What one `*` of a meta issuer stands for: one host label, or one part of the path. As upstream. */
const WILDCARD = "[-_a-zA-Z0-9]+";

/** The issuers of the configuration. */
export function assertIssuerUrl(key: string, url: string): void {
  if (!PLAIN_URL.test(url) || !URL.canParse(url)) throw new Misconfigured(key, "is not an issuer URL");
}

/**
 * A pattern's host must end in two labels of its own: in `https://*` or `https://login.*` the sender of
 * a token would choose whom we ask for keys.
 */
export function assertIssuerPattern(key: string, pattern: string): void {
  if (pattern.includes("**")) throw new Misconfigured(key, "** has no meaning in a pattern");
  const example = pattern.replaceAll("*", "x");
  if (!PLAIN_URL.test(example) || !URL.canParse(example))
    throw new Misconfigured(key, "is not a pattern of issuer URLs");
  const [, host = ""] = /^https?:\/\/(\[[^\]]*\]|[^/:]+)/.exec(pattern) ?? [];
  if (
    host.includes("*") &&
    host
      .split(".")
      .slice(-2)
      .some((label, _place, last) => last.length < 2 || label.includes("*"))
  ) {
    throw new Misconfigured(key, "the last two labels of a pattern's host must not contain *");
  }
}

/**
 * What whoever names an issuer by http should know; undefined of any other. On this machine there is nobody in between,
 * and of keys that are written down nobody is asked.
 */
export function plainHttpWarning({ key, url, keys }: IssuerSettings): string | undefined {
  const { protocol, hostname } = new URL(url.replaceAll("*", "x"));
  if (protocol === "https:" || isLoopback(hostname) || (keys?.type ?? "discovery") !== "discovery") return undefined;
  return `${key}: its keys are fetched without TLS; whoever sits on the network to it can have a certificate for anyone it may name. Use https, or name its keys by jwks-file`;
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
