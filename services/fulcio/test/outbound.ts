import { createHook } from "node:async_hooks";

/** What Node makes, in C++, for each connection it tries and each name it asks for, whatever JavaScript asked it to. */
const OUTBOUND = new Set([
  "TCPCONNECTWRAP",
  "PIPECONNECTWRAP",
  "UDPSENDWRAP",
  "GETADDRINFOREQWRAP",
  "GETNAMEINFOREQWRAP",
  "QUERYWRAP",
]);

export interface OutboundRecord extends Disposable {
  /** `address:port` of each connection that was tried, or the kind of whatever else left the process. */
  readonly tried: () => string[];
}

/** Records everything this process asks the network, below any library and below `node:net` itself. */
export function recordOutbound(): OutboundRecord {
  const requests: { readonly type: string; readonly made: { address?: string; port?: number; hostname?: string } }[] =
    [];
  const hook = createHook({
    init: (_id, type, _trigger, made) => void (OUTBOUND.has(type) && requests.push({ type, made })),
  }).enable();
  return {
    tried: () =>
      requests.map(({ type, made }) =>
        type === "TCPCONNECTWRAP" ? `${made.address}:${made.port}` : `${type} ${made.hostname ?? ""}`,
      ),
    [Symbol.dispose]: () => void hook.disable(),
  };
}
