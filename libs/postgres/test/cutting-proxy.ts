import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface CuttingProxy extends AsyncDisposable {
  readonly url: string;
  /**
   * From the next COMMIT on: it reaches the server, and no answer comes back ("answer"), or it does not even reach it
   * ("request"); or what travels with it is answered, and it alone is not ("last answer"). Then the connection is gone.
   * Resolves when that has happened.
   */
  cutAtCommit(what: Cut): Promise<void>;
  /** Ends all connections and lets no new one in, until `let` is true again. */
  admit(let_: boolean): void;
  /** No connection ends, and nothing passes any more on those that there are. */
  hang(): void;
  /** What was held back passes. */
  goOn(): void;
  /** Bytes that the server has answered so far. */
  readonly answered: number;
}

type Cut = "answer" | "last answer" | "request";

/** Of CommandComplete, what stands before its text: a byte for its kind and four for its length. */
const HEADER = 5;

/** Stands between a client and PostgreSQL and cuts the line where it hurts. */
export async function cuttingProxy(serverUrl: string): Promise<CuttingProxy> {
  const directory = await mkdtemp(join(tmpdir(), "cut-"));
  const upstream = `${new URLSearchParams(serverUrl.split("?")[1]).get("host")}/.s.PGSQL.5432`;
  const sockets = new Set<Socket>();
  let cut: { what: Cut; done: () => void } | undefined;
  let open = true;
  let answered = 0;

  const server = createServer((client) => {
    if (!open) {
      client.destroy();
      return;
    }
    const origin = connect(upstream);
    const pair = [client, origin];
    for (const socket of pair) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        for (const other of pair) other.destroy();
      });
    }
    const answer = (chunk: Buffer) => {
      answered += chunk.length;
      client.write(chunk);
    };
    origin.on("data", answer);
    client.on("data", (chunk) => {
      const order = chunk.includes("COMMIT\0") ? cut : undefined;
      if (order !== undefined) cut = undefined;
      if (order?.what === "answer") {
        origin.off("data", answer);
        // The server has answered, so it has decided; only now may the client look.
        const decided = (told: Buffer) =>
          void (/(COMMIT|ROLLBACK)\0/.test(told.toString("latin1")) && origin.destroy());
        origin.on("data", decided).once("close", order.done);
      }
      if (order?.what === "last answer") {
        origin.off("data", answer);
        origin.on("data", (told: Buffer) => {
          const at = told.toString("latin1").search(/(COMMIT|ROLLBACK)\0/);
          client.write(told.subarray(0, at < 0 ? told.length : at - HEADER));
          if (at >= 0) client.end(() => origin.destroy());
        });
        origin.once("close", order.done);
      }
      if (order?.what === "request") origin.destroy().once("close", order.done);
      else origin.write(chunk);
    });
  });
  server.listen(join(directory, ".s.PGSQL.5432"));
  await once(server, "listening");
  return {
    url: serverUrl.replace(/host=[^&]*/, `host=${encodeURIComponent(directory)}`),
    cutAtCommit: (what) => new Promise((done) => (cut = { what, done })),
    get answered() {
      return answered;
    },
    admit(let_) {
      open = let_;
      if (!open) for (const socket of sockets) socket.destroy();
    },
    hang() {
      for (const socket of sockets) socket.pause();
    },
    goOn() {
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
