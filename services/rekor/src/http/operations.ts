import type { FastifyInstance } from "fastify";
import { parseNames } from "../domain/write-policy.ts";

/** The API's operations by upstream's operationId: where each is, and what it is called in a refusal. */
const OPERATIONS = {
  createLogEntry: { method: "POST", url: "/api/v1/log/entries", title: "Create Entry" },
  getLogEntryByIndex: { method: "GET", url: "/api/v1/log/entries", title: "Get Log Entry by Index" },
  getLogEntryByUUID: { method: "GET", url: "/api/v1/log/entries/:entryUUID", title: "Get Log Entry by UUID" },
  searchLogQuery: { method: "POST", url: "/api/v1/log/entries/retrieve", title: "Search Log Query" },
  searchIndex: { method: "POST", url: "/api/v1/index/retrieve", title: "Search Index" },
  getLogInfo: { method: "GET", url: "/api/v1/log", title: "Get Log Info" },
  getLogProof: { method: "GET", url: "/api/v1/log/proof", title: "Get Log Proof" },
  getPublicKey: { method: "GET", url: "/api/v1/log/publicKey", title: "Get Public Key" },
} as const;

export type Operation = keyof typeof OPERATIONS;

/** Misconfigured for a name that is unknown here; `key` is what the list stands under. */
export function parseOperations(names: readonly string[], key: string): readonly Operation[] {
  return parseNames(names, Object.keys(OPERATIONS) as Operation[], key);
}

/** Bytes that a request to an operation may carry. */
export type BodyLimits = Partial<Readonly<Record<Operation, number>>>;

/**
 * Gives each route its own body limit as it is made, and answers 501 where the installation does not enable an operation.
 * MUST be called before the routes are made.
 */
export function shapeRoutes(
  fastify: FastifyInstance,
  options: { readonly enabled: readonly Operation[] | undefined; readonly limits: BodyLimits },
): void {
  fastify.addHook("onRoute", (route) => {
    const operation = operationAt(String(route.method), route.url);
    if (operation === undefined) return;
    const limit = options.limits[operation];
    if (limit !== undefined) route.bodyLimit = limit;
    if (options.enabled === undefined || options.enabled.includes(operation)) return;
    const message = `${OPERATIONS[operation].title} API not enabled in this Rekor instance`;
    route.handler = (_request, reply) => reply.code(501).send({ code: 501, message });
  });
}

function operationAt(method: string, url: string): Operation | undefined {
  const names = Object.keys(OPERATIONS) as Operation[];
  return names.find((name) => OPERATIONS[name].method === method && OPERATIONS[name].url === url);
}
