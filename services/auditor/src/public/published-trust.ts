import { createPublicKey, type KeyObject } from "node:crypto";
import { isObject, isText, member } from "../domain/json-member.ts";
import { HttpLog, MOST_JSON_BYTES, type Way } from "./http-log.ts";

/** A log as the installation's own trusted root names it. */
export interface PublishedLog {
  readonly baseUrl: URL;
  readonly key: KeyObject;
}

export interface PublishedTrust {
  readonly rekor: readonly PublishedLog[];
  readonly ctlog: readonly PublishedLog[];
}

const PATH = "/trust/trusted_root.json";

/**
 * Keys from the very server that is checked: they show that it agrees with itself, not that it is the one clients
 * trust. Undefined where it publishes none.
 */
export async function publishedTrust(origin: string, way: Way = {}): Promise<PublishedTrust | undefined> {
  const server = new HttpLog(origin, way);
  const root = await server.getJson(PATH, MOST_JSON_BYTES);
  if (root === undefined) return undefined;
  const logs = (name: string) => member(root, name, Array.isArray).map(publishedLog);
  try {
    return { rekor: logs("tlogs"), ctlog: logs("ctlogs") };
  } catch (cause) {
    throw server.notAnAnswer(PATH, cause instanceof Error ? cause.message : "is not a trusted root");
  }
}

function publishedLog(log: unknown): PublishedLog {
  const rawBytes = member(member(log, "publicKey", isObject), "rawBytes", isText);
  return {
    baseUrl: new URL(member(log, "baseUrl", isText)),
    key: createPublicKey({ key: Buffer.from(rawBytes, "base64"), format: "der", type: "spki" }),
  };
}
