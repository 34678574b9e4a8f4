import { Misconfigured } from "@chancery/fault";

/**
 * A URL as clients join paths to it: absolute http(s), no credentials, query or fragment, and no
 * trailing slash ("https://host//api/v2/signingCert" is another path to a strict router).
 */
export function serviceUrl(url: string, field: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new Misconfigured(field, `"${url}" is not an http or https URL`);
  }
  if (parsed.username !== "" || parsed.password !== "") throw new Misconfigured(field, "the URL has credentials in it");
  if (/[?#]/.test(url)) throw new Misconfigured(field, `"${url}" has a query or a fragment`);
  if (url.endsWith("/")) throw new Misconfigured(field, `"${url}" ends with a slash`);
  return url;
}
