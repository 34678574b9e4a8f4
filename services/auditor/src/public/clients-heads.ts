import { isObject, isText } from "../domain/json-member.ts";
import { HttpLog, WATCHING, type Way, withoutEndSlashes } from "./http-log.ts";

const V1 = "/api/v1/log";
/** There are no more shards. */
const MOST_INACTIVE = 100;

/** Checkpoints of the v1 log as a client is given them who names no tree. */
export interface ClientsHeads {
  /** Of the tree that takes entries. */
  readonly active: Uint8Array;
  /** Of those before it. */
  readonly inactive: readonly Uint8Array[];
}

export interface ClientsPlace {
  readonly url: string;
  /** Of the installation's own URL, at which nobody else answers. */
  readonly isMain: boolean;
  /** Undefined where there are none. */
  heads(): Promise<ClientsHeads | undefined>;
}

/** As text, and in JSON as upstream has it. A fork that is shown there alone would be seen by nobody who asks for a shard. */
export function clientsPlaces(
  url: string,
  { isMain = true, ...way }: Way & { readonly isMain?: boolean } = {},
): ClientsPlace[] {
  const api = new HttpLog(withoutEndSlashes(url) + V1, { ...WATCHING, ...way });
  return [
    { url: `${api.base}/checkpoint`, isMain, heads: async () => asText(await api.get("/checkpoint")) },
    { url: api.base, isMain, heads: async () => asJson(await api.getJson("")) },
  ];
}

interface Installation {
  readonly url: string;
  readonly vantagePoints?: readonly string[];
  readonly way?: Way;
}

/** Through its vantage points too, which are asked as anyone asks them. */
export function allClientsPlaces({ url, vantagePoints = [], way = {} }: Installation): ClientsPlace[] {
  const others = vantagePoints.flatMap((place) => clientsPlaces(place, { signal: way.signal, isMain: false }));
  return [...clientsPlaces(url, way), ...others];
}

function asText(note: Uint8Array | undefined): ClientsHeads | undefined {
  return note && { active: note, inactive: [] };
}

function asJson(answer: unknown): ClientsHeads | undefined {
  const active = noteOf(answer);
  if (active === undefined) return undefined;
  const others = isObject(answer) ? answer["inactiveShards"] : undefined;
  const inactive = Array.isArray(others) ? others.slice(0, MOST_INACTIVE).map(noteOf) : [];
  return { active, inactive: inactive.filter((note) => note !== undefined) };
}

function noteOf(answer: unknown): Uint8Array | undefined {
  const note = isObject(answer) ? answer["signedTreeHead"] : undefined;
  return isText(note) ? Buffer.from(note) : undefined;
}
