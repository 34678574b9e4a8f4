import { expect } from "vitest";
import { ephemeralSigner, type Signer } from "@chancery/crypto";
import { type LogStore, MemoryAnchor, MemoryLogStore, TransparencyLog } from "@chancery/log";
import { createService, type RunningService } from "@chancery/service";
import { RekorModule, rekorTreeHeadSigner, RekorV2Module, rekorV2TreeHeadSigner, SearchModule } from "../src/index.ts";
import type { Proposal } from "./proposals.ts";

export const HOSTNAME = "rekor.example.com";
export const TREE_ID = 1193050959916656506n;

export interface RunningSearch extends AsyncDisposable {
  readonly service: RunningService;
  readonly logs: { readonly rekor: TransparencyLog; readonly rekorV2: TransparencyLog };
  readonly signers: { readonly rekor: Signer; readonly rekorV2: Signer };
  /** Milliseconds since 1970, as the logs see it. */
  clock: { now: number };
  /** Logs a proposal in v1, resolves with its entry ID. */
  logged(proposal: Proposal): Promise<string>;
  /** Logs a request in v2, resolves with its index. */
  loggedV2(request: unknown): Promise<string>;
  get(path: string): Promise<Answer>;
  post(path: string, body: object): Promise<Answer>;
  /** IDs that v1's `index/retrieve` answers. */
  retrieve(query: object): Promise<string[]>;
  /** An answer that is 200. */
  search(query: string | Record<string, string>): Promise<Answer["json"]>;
  /** `log/index` of all that is found, over all pages of `limit`. */
  found(query: string | Record<string, string>, limit?: number): Promise<string[]>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are asserted on, member by member.
  readonly json: any;
}

/** What outlives a database. */
export interface SearchKeys {
  readonly signers: { readonly rekor: Signer; readonly rekorV2: Signer };
  readonly anchors: { readonly rekor: MemoryAnchor; readonly rekorV2: MemoryAnchor };
}

export function newSearchKeys(): SearchKeys {
  return {
    signers: { rekor: ephemeralSigner("ecdsa-p256"), rekorV2: ephemeralSigner("ecdsa-p256") },
    anchors: { rekor: new MemoryAnchor(), rekorV2: new MemoryAnchor() },
  };
}

/** Both APIs and the search, over logs in memory or in another store. */
export async function startSearch(
  store: LogStore = new MemoryLogStore(),
  keys: SearchKeys = newSearchKeys(),
): Promise<RunningSearch> {
  const { signers, anchors } = keys;
  const clock = { now: Date.parse("2026-03-01T00:00:00Z") };
  const open = (name: string, signer: ReturnType<typeof rekorTreeHeadSigner>) =>
    TransparencyLog.open({
      name,
      create: true,
      store,
      anchor: anchors[name === "rekor" ? "rekor" : "rekorV2"],
      signer,
      clock: () => clock.now,
      elapsed: () => clock.now,
    });
  const logs = {
    rekor: await open("rekor", rekorTreeHeadSigner({ hostname: HOSTNAME, treeId: TREE_ID, signer: signers.rekor })),
    rekorV2: await open("rekor-v2", rekorV2TreeHeadSigner({ origin: HOSTNAME, signer: signers.rekorV2 })),
  };
  const rekor = { log: logs.rekor, signer: signers.rekor };
  const rekorV2 = { log: logs.rekorV2, signer: signers.rekorV2 };
  const service = await createService({
    modules: [
      RekorModule.forRoot({ hostname: HOSTNAME, treeId: TREE_ID }, rekor),
      RekorV2Module.forRoot({ origin: HOSTNAME }, rekorV2),
      SearchModule.forRoot({ treeId: TREE_ID, origin: HOSTNAME }, { rekor, rekorV2, clock: () => clock.now }),
    ],
  });
  const send = async (method: "GET" | "POST", url: string, payload?: unknown) => {
    const answer = await service.app.inject({
      method,
      url,
      ...(payload === undefined
        ? {}
        : { payload: JSON.stringify(payload), headers: { "content-type": "application/json" } }),
    });
    const isJson = String(answer.headers["content-type"]).startsWith("application/json");
    return { status: answer.statusCode, headers: answer.headers, json: isJson ? JSON.parse(answer.body) : answer.body };
  };
  const create = async (url: string, payload: unknown) => {
    const answer = await send("POST", url, payload);
    expect(answer.status, JSON.stringify(answer.json)).toBe(201);
    return answer.json;
  };
  const get = (path: string) => send("GET", path);
  const search = async (query: string | Record<string, string>) => {
    const answer = await get(`/api/chancery/v1/search?${new URLSearchParams(query).toString()}`);
    expect(answer.status, JSON.stringify(answer.json)).toBe(200);
    return answer.json;
  };
  return {
    service,
    logs,
    signers,
    clock,
    get,
    post: (path, body) => send("POST", path, body),
    search,
    retrieve: async (query) => {
      const answer = await send("POST", "/api/v1/index/retrieve", query);
      expect(answer.status, JSON.stringify(answer.json)).toBe(200);
      return answer.json;
    },
    logged: async (proposal) => Object.keys(await create("/api/v1/log/entries", proposal))[0]!,
    loggedV2: async (request) => (await create("/api/v2/log/entries", request)).logIndex,
    found: async (query, limit = 50) => {
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const asked = new URLSearchParams(query);
        asked.set("limit", String(limit));
        if (cursor !== undefined) asked.set("cursor", cursor);
        const page = await search(asked.toString());
        expect(page.results.length).toBeLessThanOrEqual(limit);
        found.push(...page.results.map((each: { log: string; logIndex: string }) => `${each.log}/${each.logIndex}`));
        cursor = page.cursor;
      } while (cursor !== undefined);
      return found;
    },
    [Symbol.asyncDispose]: async () => {
      await service.close();
      await Promise.all(Object.values(logs).map((log) => log.close()));
    },
  };
}
