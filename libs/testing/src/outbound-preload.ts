import { createHook } from "node:async_hooks";
import dns, { type LookupAddress } from "node:dns";
import { connect, isIP, type Socket } from "node:net";
import { syncBuiltinESMExports } from "node:module";

/*
 * Loaded before a program (`node --import`), in each of its threads: every TCP connection that it makes, by whatever
 * library, goes to the logging proxy of `OUTBOUND_PROXY`, and so does every question for a name. Patched is what Node's
 * JavaScript hands to the operating system, so that no library is below it; and whatever left the process by another
 * way, a datagram or a resolver of its own, ends it with the status 97.
 */

interface ConnectRequest {
  oncomplete: (status: number, handle: TcpHandle, ...rest: unknown[]) => void;
}

type Connect = (this: TcpHandle, request: ConnectRequest, address: string, port: number) => number;

interface TcpHandle {
  connect: Connect;
  connect6: Connect;
  writeLatin1String(request: object, text: string): number;
}

type Binding = (name: string) => Readonly<Record<string, { new (...args: unknown[]): object; prototype: object }>>;

const [host = "", port = ""] = (process.env["OUTBOUND_PROXY"] ?? "").split(":");
const { binding } = process as unknown as { binding: Binding };
const tcp = binding("tcp_wrap")["TCP"]?.prototype as TcpHandle;
const WriteWrap = binding("stream_wrap")["WriteWrap"];
const connectDirectly = tcp.connect;

function connectThrough(handle: TcpHandle, request: ConnectRequest, target: string): number {
  // Questions for names are no connection of the program's.
  if (target === `${host}:${port}`) return connectDirectly.call(handle, request, host, Number(port));
  const complete = request.oncomplete;
  request.oncomplete = function (status, connected, ...rest) {
    if (status === 0 && WriteWrap !== undefined) {
      const write = Object.assign(new WriteWrap(), { handle: connected, oncomplete: () => {} });
      connected.writeLatin1String(write, `CONNECT ${target}\n`);
    }
    complete.call(this, status, connected, ...rest);
  };
  return connectDirectly.call(handle, request, host, Number(port));
}

tcp.connect = function (request, address, to) {
  return connectThrough(this, request, `${address}:${to}`);
};
tcp.connect6 = function (request, address, to) {
  return connectThrough(this, request, `[${address}]:${to}`);
};

type Found = (error: Error | null, address?: string | LookupAddress[], family?: number) => void;

/** The proxy knows `localhost`; it asks nobody. */
function lookup(name: string, options: { all?: boolean } | Found, found?: Found): void {
  const callback = typeof options === "function" ? options : (found ?? (() => {}));
  const answer = (address: string) => {
    const family = isIP(address);
    if (typeof options === "object" && options.all === true) return callback(null, [{ address, family }]);
    callback(null, address, family);
  };
  if (isIP(name) !== 0) return process.nextTick(answer, name);
  let text = "";
  connect({ host, port: Number(port) }, function (this: Socket) {
    this.end(`LOOKUP ${name}\n`);
  })
    .on("data", (chunk) => (text += chunk.toString()))
    .on("error", callback)
    .on("end", () => {
      const address = text.trim();
      if (isIP(address) === 0) callback(Object.assign(new Error(`no ${name}`), { code: "ENOTFOUND" }));
      else answer(address);
    });
}

dns.lookup = lookup as unknown as typeof dns.lookup;
dns.promises.lookup = (async (name: string, options: object = {}) => {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  lookup(name, options, (error, address, family) => {
    if (error !== null) reject(error);
    else resolve(Array.isArray(address) ? address : { address, family });
  });
  return promise;
}) as unknown as typeof dns.promises.lookup;
syncBuiltinESMExports();

// What can be sent at once never becomes a request that the hook below would see.
const datagram = binding("udp_wrap")["UDP"]?.prototype as Record<string, () => void>;
for (const send of ["send", "send6"]) datagram[send] = () => process.exit(97);

const BYPASSES = new Set(["UDPSENDWRAP", "GETADDRINFOREQWRAP", "GETNAMEINFOREQWRAP", "QUERYWRAP"]);
createHook({
  init: (_id, type) => {
    if (BYPASSES.has(type)) process.exit(97);
  },
}).enable();
