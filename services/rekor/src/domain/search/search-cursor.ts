import { sha256 } from "@chancery/crypto";
import { encodeBase64, encodeHex, utf8 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";

/** For each log or shard of a search its own index that is looked at next; -1 below a log's first entry. */
export type SearchPositions = ReadonlyMap<string, bigint>;

/** A place for each of a hundred shards. */
const MAX_CURSOR_LENGTH = 8_192;
const POSITION = /^-?[0-9]{1,18}$/;

/**
 * Where a search goes on, opaque to clients: its positions, and a digest of what was asked. Nothing in it is believed
 * but where to look, so that it needs no signature: a made-up one asks for what could be asked for anyway.
 */
export function encodeCursor(asked: string, positions: SearchPositions): string {
  const text = JSON.stringify([fingerprint(asked), [...positions].map(([log, at]) => [log, String(at)])]);
  return encodeBase64(utf8(text)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function decodeCursor(cursor: string, asked: string): SearchPositions {
  const [digest, positions] = readCursor(cursor);
  if (digest !== fingerprint(asked)) throw new Malformed("cursor: is of a search for something else");
  return positions;
}

function readCursor(cursor: string): [string, SearchPositions] {
  if (cursor.length > MAX_CURSOR_LENGTH || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw notACursor();
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch (cause) {
    throw notACursor({ cause });
  }
  if (!Array.isArray(json) || json.length !== 2) throw notACursor();
  const [digest, list] = json as readonly unknown[];
  if (typeof digest !== "string" || !Array.isArray(list)) throw notACursor();
  const positions = new Map<string, bigint>();
  for (const each of list as readonly unknown[]) {
    if (!Array.isArray(each) || each.length !== 2) throw notACursor();
    const [log, at] = each as readonly unknown[];
    if (typeof log !== "string" || typeof at !== "string" || !POSITION.test(at)) throw notACursor();
    positions.set(log, BigInt(at));
  }
  return [digest, positions];
}

function notACursor(options?: ErrorOptions): Malformed {
  return new Malformed("cursor: is none that was given out here", options);
}

function fingerprint(asked: string): string {
  return encodeHex(sha256(utf8(asked)).subarray(0, 16));
}
