import { lookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { Unavailable } from "@chancery/fault";
import { isLoopback } from "../domain/discovery.ts";
import type { ConcreteIssuer } from "../domain/issuer-settings.ts";

/**
 * This machine and its link: loopback, link-local (cloud metadata answers there), unspecified, multicast.
 * Private ranges are not here: the clusters that patterns are written for live in them.
 */
const LOCAL = new BlockList();
LOCAL.addSubnet("0.0.0.0", 8, "ipv4");
LOCAL.addSubnet("127.0.0.0", 8, "ipv4");
LOCAL.addSubnet("169.254.0.0", 16, "ipv4");
LOCAL.addSubnet("224.0.0.0", 4, "ipv4");
// Unspecified, loopback, and IPv4 addresses in their old IPv6 form (RFC 4291, Section 2.5.5.1).
LOCAL.addSubnet("::", 96, "ipv6");
LOCAL.addSubnet("fe80::", 10, "ipv6");
LOCAL.addSubnet("ff00::", 8, "ipv6");
// The same IPv4 addresses behind NAT64 (RFC 6052, Section 2.1): a translator may be this machine or its neighbour.
LOCAL.addSubnet("64:ff9b::", 104, "ipv6");
LOCAL.addSubnet("64:ff9b::7f00:0", 104, "ipv6");
LOCAL.addSubnet("64:ff9b::a9fe:0", 112, "ipv6");
// Where AWS answers with metadata over IPv6; it is link-local but for its prefix.
LOCAL.addAddress("fd00:ec2::254", "ipv6");

/**
 * Whether the operator wrote this scheme, host and port down for this issuer: its own, or that of its keys. Only there
 * may be sent what proves who we are (CVE-2026-49478: upstream showed the cluster's token to other hosts).
 */
export function isConfiguredOrigin(url: URL, { url: own, settings }: ConcreteIssuer): boolean {
  if (settings.isPattern) return false;
  if (settings.keys?.type === "uri" && url.origin === new URL(settings.keys.uri).origin) return true;
  return url.origin === new URL(own).origin;
}

export function isLocalAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && LOCAL.check(address, family === 6 ? "ipv6" : "ipv4");
}

/**
 * Resolves names for a request to an issuer's documents, and refuses local addresses: whoever controls a name (a
 * tenant's host behind a pattern, a key set's host that a document names) would otherwise point us at this machine.
 * Asked for the address that is connected to, so a name that changes between check and use gains nothing.
 *
 * The host of an issuer that the operator wrote down whole may be anywhere. Undefined: nothing to guard.
 */
export function addressGuard(url: URL, issuer: ConcreteIssuer): LookupFunction | undefined {
  if (isConfiguredOrigin(url, issuer) || isLoopback(new URL(issuer.url).hostname)) return undefined;
  // Node does not look literal addresses up.
  if (isLocalAddress(url.hostname.replace(/^\[|\]$/g, ""))) throw refused(url.hostname);
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      if (addresses.some(({ address }) => isLocalAddress(address))) return callback(refused(hostname), []);
      const [first] = addresses;
      if (options.all === true || first === undefined) return callback(null, addresses);
      callback(null, first.address, first.family);
    });
  };
}

function refused(hostname: string): Unavailable {
  return new Unavailable(`${hostname} is an address of this machine or its link`, 10);
}
