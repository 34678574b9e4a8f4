import { write, writeSync } from "node:fs";

/** What may wait while nobody reads; beyond it lines are dropped, for a log must never stop what it tells of. */
const WAITING_BYTES = 4 * 1024 * 1024;
const RETRY_MS = 50;
/** At the very end the process waits this often, not longer, for a reader that is slow. */
const LAST_RETRIES = 5;

/**
 * Writes lines to a descriptor without ever making the caller wait: the write happens on another thread,
 * where a full pipe may block it.
 *
 * pino's own asynchronous destination would do, but for a descriptor that is gone (a closed terminal):
 * its last flush then never returns, and the process never ends.
 */
export class LineWriter {
  readonly #fd: number;
  readonly #limit: number;
  #waiting: Buffer[] = [];
  #bytes = 0;
  #dropped = 0;
  #writing = false;
  #gone = false;

  constructor(fd: number, limit = WAITING_BYTES) {
    this.#fd = fd;
    this.#limit = limit;
  }

  write(line: string): void {
    if (this.#gone) return;
    const bytes = Buffer.from(line);
    if (this.#bytes + bytes.length > this.#limit) {
      this.#dropped += 1;
      return;
    }
    this.#enqueue(bytes);
    if (this.#writing || this.#waiting.length > 1) return;
    // Lines of one turn travel together: a batch of certificates is told by one write.
    setImmediate(() => this.#pump());
  }

  /** What is left, at the end of the process: nothing asynchronous runs any more. */
  flushAtExit(): void {
    // The write under way may or may not have happened; its lines are not written twice.
    let rest = this.#waiting;
    for (let tries = 0; rest.length > 0 && tries < LAST_RETRIES && !this.#gone; tries++) {
      try {
        const written = writeSync(this.#fd, Buffer.concat(rest));
        rest = [Buffer.concat(rest).subarray(written)].filter(({ length }) => length > 0);
      } catch (error) {
        if (!isBusy(error)) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
  }

  #enqueue(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
  }

  #pump(): void {
    if (this.#writing || this.#waiting.length === 0) return;
    this.#writing = true;
    const batch = Buffer.concat(this.#waiting);
    this.#waiting = [];
    write(this.#fd, batch, 0, batch.length, null, (error, written) => {
      this.#writing = false;
      if (error !== null) return this.#failed(error, batch);
      this.#bytes -= written;
      if (written < batch.length) this.#waiting.unshift(batch.subarray(written));
      else this.#tellOfDropped();
      this.#pump();
    });
  }

  #failed(error: Error, batch: Buffer): void {
    if (isBusy(error)) {
      this.#waiting.unshift(batch);
      setTimeout(() => this.#pump(), RETRY_MS).unref();
      return;
    }
    this.#gone = true;
    this.#waiting = [];
    this.#bytes = 0;
  }

  #tellOfDropped(): void {
    if (this.#dropped === 0) return;
    this.#enqueue(Buffer.from(`{"level":"warn","msg":"${this.#dropped} lines were dropped: nobody read them"}\n`));
    this.#dropped = 0;
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EAGAIN" || error.code === "EBUSY");
}
