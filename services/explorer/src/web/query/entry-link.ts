import { entry, hint, only, type Reading, type Understanding } from "./reading.ts";

/**
 * A link to an entry: of these pages, of this API or of either Rekor's, `?logIndex=` and `?uuid=` as others have it. An
 * index is a place in the log of that host alone: here it is another entry's, by which somebody could be led to believe it.
 */
export function entryLink({ pathname, searchParams, host }: URL, ownHost: string): Understanding | undefined {
  const [, log, last] =
    /\/entries(?:\/(rekor-v2|rekor))?(?:\/(\d{1,19}|[0-9a-f]{64}|[0-9a-f]{80}))?\/?$/i.exec(pathname) ?? [];
  const id = last ?? searchParams.get("uuid") ?? searchParams.get("logIndex") ?? "";
  const found = entryOf(id, log?.toLowerCase());
  if (found === undefined) return undefined;
  return host === ownHost ? only(found) : elsewhere(host, id);
}

/** A leaf hash names the same bytes in every log; whether they are in one of these is for the reader to ask. */
function elsewhere(host: string, id: string): Understanding {
  const hash = id.length > 19 ? id.slice(-64).toLowerCase() : undefined;
  const what = `a link to an entry of ${host}`;
  if (hash === undefined) {
    const words = "Its index counts in the log there. The entry of that index here is another one.";
    return only(hint(what, words));
  }
  const here: Reading = { ...entry("the same entry in these logs, by its hash", hash), onlyIfChosen: true };
  const words = "Open it there, or see whether these logs, which are of another host, have an entry of the same bytes.";
  return { reading: hint(what, words), others: [here] };
}

/** `uuid:…`, `logIndex 12`, and the line in which cosign tells where its entry is. */
export function entryName(text: string): Understanding | undefined {
  const [, id = ""] =
    /^(?:uuid|entry|entry ?id|log ?index|(?:tlog entry created with )?index)(?:[:=]\s?|\s)([0-9a-f]{1,80})$/i.exec(
      text,
    ) ?? [];
  const found = entryOf(id, undefined);
  return found === undefined ? undefined : only(found);
}

function entryOf(id: string, log: string | undefined): Reading | undefined {
  const name = (["rekor", "rekor-v2"] as const).find((each) => each === log);
  if (/^\d{1,19}$/.test(id)) return entry("a log index", String(BigInt(id)), name);
  if (/^[0-9a-f]{80}$/i.test(id)) return entry("an entry ID of the v1 log", id.toLowerCase(), "rekor");
  return /^[0-9a-f]{64}$/i.test(id) ? entry("an entry ID", id.toLowerCase(), name) : undefined;
}
