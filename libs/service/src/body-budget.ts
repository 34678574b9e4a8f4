import { Pushback } from "@chancery/fault";

/** A body on its way. */
export interface IncomingBody {
  isComplete(): boolean;
  /** Bytes that its connection has brought so far. */
  received(): number;
  /** Called if others need the room of a body that does not come; it MUST lead to giving the bytes back. */
  giveWay(): void;
}

interface Incoming {
  readonly body: IncomingBody;
  /** What it had brought, and when. */
  received: number;
  since: number;
  /** Where it stands among those that are held. */
  place: number;
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
  /** In no order. No Map, whose tables would keep what has gone: see PassingMap in libs/encoding. */
  readonly #incoming: Incoming[] = [];
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
    const incoming = { body, received: body.received(), since: performance.now(), place: this.#incoming.length };
    this.#incoming.push(incoming);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#taken -= bytes;
      this.#remove(incoming);
    };
  }

  get taken(): number {
    return this.#taken;
  }

  #remove(incoming: Incoming): void {
    const last = this.#incoming.pop();
    if (last === undefined || last === incoming) return;
    this.#incoming[incoming.place] = last;
    last.place = incoming.place;
  }

  /** Looks after the slow for as long as anyone is refused. */
  #hurry(): void {
    this.#refused = true;
    if (this.#isHurrying) return;
    this.#isHurrying = true;
    const timer = setInterval(() => {
      for (const incoming of this.#incoming) look(incoming);
      if (!this.#refused) clearInterval(timer);
      this.#isHurrying = this.#refused;
      this.#refused = false;
    }, PATIENCE_MS / 4).unref();
  }
}

function look(incoming: Incoming): void {
  const { body, since } = incoming;
  const received = body.received();
  const now = performance.now();
  if (received - incoming.received >= SLOWEST_BYTES) {
    incoming.received = received;
    incoming.since = now;
  } else if (!body.isComplete() && now - since >= PATIENCE_MS) body.giveWay();
}
