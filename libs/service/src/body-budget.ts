import { Pushback } from "@chancery/fault";

/** A body on its way. */
export interface IncomingBody {
  isComplete(): boolean;
  /** Bytes that its connection has brought so far. */
  received(): number;
  /** Called if others need the room of a body that does not come; it MUST lead to giving the bytes back. */
  giveWay(): void;
}

/** While others find no room, a body that brought fewer bytes than this in this time gives way. */
const SLOWEST_BYTES = 16 * 1024;
const PATIENCE_MS = 1_000;

/**
 * Bytes of request bodies that may be in memory at once.
 *
 * The limit on one body does not bound the sum: a thousand clients that each stay below it still
 * exhaust the heap. What is over the budget is refused before its first byte is read.
 *
 * What was announced is held from the first moment, so that what was let in can come. Fourteen connections that announced
 * and sent nothing held all of it for half a minute, and nobody else could post: so the slow give way to those refused.
 */
export class BodyBudget {
  readonly #limit: number;
  #taken = 0;
  /** What each had brought, and when. */
  readonly #incoming = new Map<IncomingBody, { readonly received: number; readonly since: number }>();
  #refused = false;
  #isHurrying = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes `bytes`; the returned function gives them back and may be called more than once. */
  take(bytes: number, body: IncomingBody): () => void {
    if (this.#taken + bytes > this.#limit) {
      this.#hurry();
      throw new Pushback("too many request bodies are being received", 1);
    }
    this.#taken += bytes;
    this.#incoming.set(body, { received: body.received(), since: performance.now() });
    let held = bytes;
    return () => {
      this.#incoming.delete(body);
      this.#taken -= held;
      held = 0;
    };
  }

  get taken(): number {
    return this.#taken;
  }

  /** Looks after the slow for as long as anyone is refused. */
  #hurry(): void {
    this.#refused = true;
    if (this.#isHurrying) return;
    this.#isHurrying = true;
    const timer = setInterval(() => {
      for (const [body, before] of this.#incoming) this.#look(body, before);
      if (!this.#refused) clearInterval(timer);
      this.#isHurrying = this.#refused;
      this.#refused = false;
    }, PATIENCE_MS / 4).unref();
  }

  #look(body: IncomingBody, before: { readonly received: number; readonly since: number }): void {
    const received = body.received();
    const now = performance.now();
    if (received - before.received >= SLOWEST_BYTES) this.#incoming.set(body, { received, since: now });
    else if (!body.isComplete() && now - before.since >= PATIENCE_MS) body.giveWay();
  }
}
