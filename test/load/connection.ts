import { connect, type Socket } from "node:net";

/** What the load client needs of an answer. */
export interface Answer {
  readonly status: number;
  /** With its chunks' lengths, where it comes in chunks. */
  readonly body: Buffer;
}

const END_OF_HEAD = Buffer.from("\r\n\r\n");
const LAST_CHUNK = Buffer.from("\r\n0\r\n\r\n");

/**
 * A keep-alive connection of one client, one request at a time. Node's own HTTP client makes streams and events of each
 * answer, and what that takes is taken from the server, whose processors it shares.
 */
export class Connection implements Disposable {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: PromiseWithResolvers<Answer> | undefined;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the server closed the connection")));
  }

  static async open(origin: string): Promise<Connection> {
    const { hostname, port } = new URL(origin);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connect({ host: hostname, port: Number(port), noDelay: true }, resolve).once("error", reject);
    await promise;
    return new Connection(socket);
  }

  /** `request` is what goes over the wire, head and body. */
  send(request: Uint8Array): Promise<Answer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#waiting = Promise.withResolvers();
    this.#socket.write(request);
    return this.#waiting.promise;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const head = this.#received.toString("latin1", 0, end);
    const start = end + END_OF_HEAD.length;
    const whole = start + this.#bodyLength(head, start);
    if (this.#received.length < whole) return;
    const body = this.#received.subarray(start, whole);
    this.#received = this.#received.subarray(whole);
    this.#waiting?.resolve({ status: Number(head.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length)), body });
    this.#waiting = undefined;
  }

  /** More than was received where that cannot be told yet. With one request at a time the last chunk ends what there is. */
  #bodyLength(head: string, start: number): number {
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length !== undefined) return Number(length);
    if (!/\r\ntransfer-encoding: chunked/i.test(head)) this.#fail(new Error(`an answer without a length: ${head}`));
    const received = this.#received.subarray(start);
    return received.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK) ? received.length : Infinity;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}
