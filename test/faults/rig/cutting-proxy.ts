import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface CuttingProxy extends AsyncDisposable {
  readonly port: number;
  /**
   * Cuts at the next request that has this in it: once it is answered, and the answer does not pass. Where it goes
   * together with others, it is answered when an answer has `answer` in it.
   */
  cutAnswerTo(request: string, answer?: string): Promise<void>;
  /** False ends all connections and lets none in until it is true again. */
  admit(open: boolean): void;
}

/** TCP between a client and a server (a port, or the path of a socket), which loses an answer when told to. */
export async function cuttingProxy(upstream: number | string): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let cut: { request: string; answer: string; done: () => void } | undefined;
  let open = true;

  const join = (client: Socket) => {
    const server = typeof upstream === "number" ? connect(upstream, "127.0.0.1") : connect(upstream);
    const pass = (chunk: Buffer) => client.write(chunk);
    const lose = (answer: string, done: () => void) => {
      server.off("data", pass);
      // It has answered, so it has decided; only now may the client look.
      server.on("data", (chunk) => void (chunk.includes(answer) && server.destroy())).once("close", done);
    };
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    server.on("data", pass);
    client.on("data", (chunk) => {
      if (cut !== undefined && chunk.includes(cut.request)) {
        lose(cut.answer, cut.done);
        cut = undefined;
      }
      server.write(chunk);
    });
  };

  const listener = createServer((client) => (open ? join(client) : client.destroy()));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    port: (listener.address() as AddressInfo).port,
    cutAnswerTo: (request, answer = "") => new Promise((done) => (cut = { request, answer, done })),
    admit(admitted) {
      open = admitted;
      if (!open) for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
