import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { loadKeyFile } from "../../../libs/crypto/src/index.ts";
import { encodeHex } from "../../../libs/encoding/src/index.ts";
import { Pushback, RefusedToSign, Unavailable } from "../../../libs/fault/src/index.ts";
import {
  type AnchorStep,
  type Failpoint,
  FileAnchor,
  type FreezeStep,
  type LogLimits,
  PostgresLogStore,
  type Step,
  TransparencyLog,
} from "../../../libs/log/src/index.ts";
import { Database } from "../../../libs/postgres/src/index.ts";
import { leafHash } from "../../../libs/tlog/src/index.ts";
import { afterCommit } from "./after-commit.ts";
import { entryNamed } from "./entry.ts";
import { tellingSigner } from "./signer.ts";

/**
 * A process with a log and clients of it, made to be killed. Orders come in on standard input, a line of JSON
 * each; what is told to the outside goes out on standard output before anything else can happen to it.
 */
export interface Orders {
  open: {
    url: string;
    anchors: string;
    log: string;
    keyFile: string;
    create?: boolean;
    limits?: Partial<LogLimits>;
    clockOffset?: number;
    /** It will be armed. Within the transaction COMMIT then waits for what was stored, which it does not in use. */
    failpoints?: "within the transaction" | "after it";
  };
  /** Clients that log entries of their own, one after the other, until `quiet`. */
  load: { prefix: string; clients: number; pause?: number };
  append: { names: string[] };
  freeze: Record<string, never>;
  clock: { offset: number };
  /** Something happens after the step was passed `skip` times more; "stop-writing": once what follows it is being sent. */
  arm: { step: Step | AnchorStep | FreezeStep; action: "kill" | "stop" | "stop-writing"; skip?: number };
  published: Record<string, never>;
  readiness: Record<string, never>;
  quiet: Record<string, never>;
}

const RETRY_MS = 20;

let log: TransparencyLog;
let clockOffset = 0;
let armed: (Orders["arm"] & { skip: number }) | undefined;
let loading = new AbortController();
let clients: Promise<void>[] = [];

const say = (...words: (string | number | bigint)[]) => process.stdout.write(`${words.join(" ")} .\n`);

const failpoint: Failpoint = (step) => {
  if (armed?.step !== step || armed.skip-- > 0) return;
  const { action } = armed;
  armed = undefined;
  say("struck", step);
  // What a step leaves to be sent is written in the same turn, as much of it as the socket takes.
  if (action === "stop-writing") setImmediate(() => process.kill(process.pid, "SIGSTOP"));
  else process.kill(process.pid, action === "kill" ? "SIGKILL" : "SIGSTOP");
};

const orders: { [Name in keyof Orders]: (order: Orders[Name]) => Promise<unknown> } = {
  open: async (order) => {
    const db = await Database.open(order.url, { max: 4 });
    const within = order.failpoints === "within the transaction";
    const store = await PostgresLogStore.open(db, within ? failpoint : undefined);
    const key = await loadKeyFile(order.keyFile);
    clockOffset = order.clockOffset ?? 0;
    log = await TransparencyLog.open({
      name: order.log,
      store: order.failpoints === "after it" ? afterCommit(store, failpoint) : store,
      anchor: await FileAnchor.open(order.anchors, order.log, order.failpoints === undefined ? {} : { failpoint }),
      signer: tellingSigner(key, (size, root, time) => say("signed", size, encodeHex(root), time)),
      create: order.create ?? false,
      clock: () => Date.now() + clockOffset,
      limits: order.limits ?? {},
      ...(order.failpoints === undefined ? {} : { failpoint }),
    });
    return (await log.readiness()) ?? "";
  },

  load: async ({ prefix, clients: count, pause = 0 }) => {
    loading = new AbortController();
    const client = async (number: number) => {
      for (let at = 0; !loading.signal.aborted; at++) {
        await appendUntilAnswered(`${prefix}.${number}.${at}`, loading.signal);
        if (pause > 0) await delay(pause);
      }
    };
    clients = Array.from({ length: count }, (_, number) => client(number));
  },

  append: async ({ names }) => {
    await Promise.all(names.map((name) => appendUntilAnswered(name)));
  },

  freeze: async () => {
    await log.freeze();
  },

  clock: async ({ offset }) => {
    clockOffset = offset;
  },

  arm: async (order) => {
    armed = { ...order, skip: order.skip ?? 0 };
  },

  published: async () => {
    const { head, time } = await log.published();
    return { size: Number(head.size), root: encodeHex(head.root), time };
  },

  readiness: async () => (await log.readiness()) ?? "",

  quiet: async () => {
    loading.abort();
    await Promise.all(clients);
  },
};

/** As a good client does: what it was told to ask again, it asks again, and that is the same entry. */
async function appendUntilAnswered(name: string, signal?: AbortSignal): Promise<void> {
  const entry = entryNamed(name);
  say("asked", name);
  for (;;) {
    try {
      const { entry: logged, duplicate, checkpoint } = await log.append(entry);
      const { head, time } = checkpoint;
      const hash = encodeHex(leafHash(logged.leaf));
      say("acked", name, logged.index, hash, Number(duplicate), head.size, encodeHex(head.root), time);
      return;
    } catch (error) {
      if (error instanceof RefusedToSign) {
        say("refused", error.message);
        // Its clients go on asking; orders are to be heard between their questions.
        await delay(RETRY_MS);
        return;
      }
      if (!(error instanceof Unavailable) && !(error instanceof Pushback)) {
        return void say("unexpected", JSON.stringify(String(error instanceof Error ? error.stack : error)));
      }
      say("postponed", error.message);
      if (signal?.aborted === true) return;
      await delay(RETRY_MS);
    }
  }
}

say("loaded");
for await (const line of createInterface({ input: process.stdin })) {
  const { id, name, order } = JSON.parse(line) as { id: number; name: keyof Orders; order: never };
  void orders[name](order).then(
    (done) => say("done", id, JSON.stringify(done ?? "")),
    (error: unknown) => say("failed", id, JSON.stringify(String(error instanceof Error ? error.stack : error))),
  );
}
process.exit();
