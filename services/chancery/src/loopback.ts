import { BlockList, isIP, isIPv4 } from "node:net";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** `localhost`, a name below it (RFC 6761, Section 6.3), or a loopback address; brackets as in a URL are fine. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  if (isIP(bare) !== 0) return isLoopbackAddress(bare);
  return bare === "localhost" || bare.endsWith(".localhost");
}

/** Of a connected peer; an IPv4 peer of a dual-stack socket is written ::ffff:127.0.0.1. */
export function isLoopbackAddress(address: string): boolean {
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (isIP(bare) === 0) return false;
  return LOOPBACK.check(bare, isIPv4(bare) ? "ipv4" : "ipv6");
}
