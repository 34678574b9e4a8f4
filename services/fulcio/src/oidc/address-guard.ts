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
LOCAL.addAddress("::", "ipv6");
LOCAL.addAddress("::1", "ipv6");
LOCAL.addSubnet("fe80::", 10, "ipv6");
LOCAL.addSubnet("ff00::", 8, "ipv6");

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
  const own = new URL(issuer.url);
  const isConfigured = !issuer.settings.isPattern && url.host === own.host;
  if (isConfigured || isLoopback(own.hostname)) return undefined;
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
