const LONGEST = 2_000;

/**
 * Where a text may lead, if it may: http(s), a plain host, no credentials, and written as it is meant. `javascript:`,
 * `https://good.example@evil.example` and hosts that look like others (punycode is shown, not linked) lead nowhere.
 */
export function safeLink(text: string): string | undefined {
  if (text.length > LONGEST || !/^https?:\/\/[A-Za-z0-9]/.test(text) || !/^[\x21-\x7e]+$/.test(text)) return undefined;
  if (/[\\^`{|}<>"]/.test(text)) return undefined;
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "") return undefined;
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(url.hostname) || url.hostname.includes("xn--")) return undefined;
  // RFC 1035, Section 2.3.4; and what is shown of a long text must show all of the host.
  if (url.hostname.length > 253) return undefined;
  const [authority = ""] = text.slice(text.indexOf("//") + 2).split(/[/?#]/, 1);
  return authority.toLowerCase() === url.host || authority.toLowerCase() === `${url.host}:${defaultPort(url)}`
    ? url.href
    : undefined;
}

function defaultPort({ protocol }: URL): string {
  return protocol === "https:" ? "443" : "80";
}
