import { setTimeout as delay } from "node:timers/promises";
import { Unavailable } from "@chancery/fault";
import { unlessStopped } from "../domain/unless-stopped.ts";

/** A log's own answers are far below; what is above is not one of them. */
const MAX_BYTES = 64 * 1024 * 1024;
/** For what is read as a whole, some KiB: JSON of 64 MiB keeps the process, in which the logs sign, busy for seconds. */
export const MOST_JSON_BYTES = 1024 * 1024;
const TIMEOUT_MS = 30_000;
const SAID_CHARACTERS = 300;
/** A log under load says 429 or 503, and goes on a moment later. */
const PAUSES_MS = [250, 1_000, 4_000];

/** How an installation is reached, where it is not simply by its URL. */
export interface Way {
  /** Where its URL leads to it only by a name that has no certificate, or is of the same process. */
  readonly fetch?: ((url: string, request: RequestInit) => Promise<Response>) | undefined;
  /** What is shown to read where not everyone may. */
  readonly bearer?: (() => Promise<string>) | undefined;
  /** When it comes nothing more is asked, and no answer is waited for. */
  readonly signal?: AbortSignal | undefined;
}

/** An answer that cannot be had. */
export class Unanswered extends Unavailable {
  /** Scheme, host and port of who was asked. */
  readonly server: string;

  constructor(where: string, why: string, options?: ErrorOptions) {
    super(`${where}: ${why}`, 0, options);
    this.server = URL.parse(where)?.origin ?? where;
  }
}

/** An answer that says: not this, or not you. Whoever only reads takes it for an answer that cannot be had. */
export class Refused extends Unanswered {
  readonly status: number;
  /** The beginning of what the answer says, as one line: of plain text the end of the line is no part of it. */
  readonly said: string;

  constructor(where: string, status: number, said: string) {
    super(where, `answers ${status}`);
    this.status = status;
    this.said = said;
  }
}

/** An answer of somebody else: a proxy's redirect, or its web page in the place of what the API says. */
export class OtherAnswer extends Unanswered {}

/** 501, of what the operator closed. */
const NOT_IMPLEMENTED = 501;

/** It says that it does not serve at all, and not that it does not serve this. */
export function isOutOfService({ status }: Refused): boolean {
  return status >= 500 && status !== NOT_IMPLEMENTED;
}

/** A proxy that passes on the logs alone, or another version, answers so for what it does not have; a place in trouble does not. */
export function isNotServed(error: unknown): boolean {
  return error instanceof Refused && !isOutOfService(error) && error.status !== 429;
}

/** In one go: a search that is begun anew at each slash of a run takes 40 s for 200,000 of them with a letter behind. */
export function withoutEndSlashes(text: string): string {
  return text.replace(/(?<!\/)\/+$/, "");
}

/** For who looks again in a moment. */
export const WATCHING = { isPatient: false };

/** Reads what a log serves to anyone. What cannot be had is Unavailable; what is not there is undefined. */
export class HttpLog {
  readonly base: string;
  readonly #pauses: readonly number[];
  readonly #way: Way;

  /** `isPatient`: asks again where the log is busy. Who comes back anyway need not. */
  constructor(base: string, { isPatient = true, ...way }: Way & { readonly isPatient?: boolean } = {}) {
    this.base = withoutEndSlashes(base);
    this.#way = way;
    this.#pauses = isPatient ? PAUSES_MS : [0];
  }

  /** Of more than `most` bytes it is an answer that cannot be had. */
  async get(path: string, most = MAX_BYTES): Promise<Uint8Array | undefined> {
    return this.#ask(path, await this.#reading(), most);
  }

  async getJson(path: string, most = MAX_BYTES): Promise<unknown> {
    const bytes = await this.#ask(path, await this.#reading(), most);
    return bytes && this.#parse(path, bytes);
  }

  async postJson(path: string, body: object, token?: string): Promise<unknown> {
    const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const headers = { "Content-Type": "application/json", ...authorization };
    const bytes = await this.#ask(path, { method: "POST", body: JSON.stringify(body), headers });
    return bytes && this.#parse(path, bytes);
  }

  async post(path: string, body: Uint8Array<ArrayBuffer>, type: string): Promise<Uint8Array | undefined> {
    return this.#ask(path, { method: "POST", body, headers: { "Content-Type": type } });
  }

  /** The server's own clock, as its answers tell it: milliseconds since 1970, of whole seconds. */
  async time(): Promise<number | undefined> {
    const answer = await this.#try("/livez", {});
    await answer.body?.cancel();
    const time = Date.parse(answer.headers.get("date") ?? "");
    return Number.isNaN(time) ? undefined : time;
  }

  /** For an answer that is not what the API says. */
  notAnAnswer(path: string, why: string): Unavailable {
    return new Unanswered(this.base + path, why);
  }

  async #reading(): Promise<RequestInit> {
    const token = await this.#way.bearer?.();
    return token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } };
  }

  #parse(path: string, bytes: Uint8Array): unknown {
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch {
      throw new OtherAnswer(this.base + path, "is not JSON");
    }
  }

  async #ask(path: string, request: RequestInit, most = MAX_BYTES): Promise<Uint8Array | undefined> {
    let last: Refused | undefined;
    for (const pause of this.#pauses) {
      const answer = await this.#try(path, request);
      if (answer.status === 404) return undefined;
      if (answer.ok) return this.#bounded(path, answer, most);
      const said = await this.#bounded(path, answer, most).catch(() => new Uint8Array());
      const text = Buffer.from(said).toString("utf8").slice(0, SAID_CHARACTERS);
      last = new Refused(this.base + path, answer.status, text.replaceAll(/\s+/g, " ").trim());
      if (answer.status !== 429 && answer.status !== 503) throw last;
      if (pause > 0) await this.#rest(pause);
    }
    throw last ?? this.notAnAnswer(path, "was not asked");
  }

  async #rest(milliseconds: number): Promise<void> {
    const { signal } = this.#way;
    await delay(milliseconds, undefined, signal && { signal }).catch(() => {});
  }

  async #try(path: string, request: RequestInit): Promise<Response> {
    let answer: Response;
    try {
      const { fetch: reach = fetch } = this.#way;
      const { signal: stop } = this.#way;
      const late = AbortSignal.timeout(TIMEOUT_MS);
      const signal = stop === undefined ? late : AbortSignal.any([late, stop]);
      signal.throwIfAborted();
      const asked = reach(this.base + path, { ...request, redirect: "manual", signal });
      // What answers within this process knows of no signal.
      answer = await (stop === undefined ? asked : unlessStopped(stop, () => asked));
    } catch (cause) {
      throw new Unanswered(this.base + path, "cannot be reached", { cause });
    }
    if (answer.status < 300 || answer.status >= 400) return answer;
    await answer.body?.cancel().catch(() => {});
    throw new OtherAnswer(this.base + path, `answers with a redirect (${answer.status}), which is not followed`);
  }

  async #bounded(path: string, answer: Response, most: number): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    try {
      // As a whole it costs half of what its parts do.
      if (statedLength(answer) <= most) return new Uint8Array(await answer.arrayBuffer());
      for await (const chunk of answer.body ?? []) {
        length += chunk.length;
        if (length > most) break;
        chunks.push(chunk);
      }
    } catch (cause) {
      throw new Unanswered(this.base + path, "ended in the middle", { cause });
    }
    if (length > most) throw this.notAnAnswer(path, `is larger than ${most} bytes`);
    return Buffer.concat(chunks);
  }
}

/** What the connection holds it to; infinite where nothing does, or it is to be unpacked. */
function statedLength({ headers }: Response): number {
  const length = headers.get("content-length");
  return length === null || headers.has("content-encoding") ? Infinity : Number(length);
}
