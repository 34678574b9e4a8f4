import { type CtEntry, readCtEntry } from "../domain/certificate/ct-entry.ts";
import { type Difference, type Place, subjectOf } from "../domain/difference.ts";
import { isText, member } from "../domain/json-member.ts";
import { HttpLog, WATCHING, type Way } from "../public/http-log.ts";
import type { LogWatch } from "./log-watch.ts";
import { messageOf, Wrong } from "./wrong.ts";

/** A CT log's entries as it serves them, what stands beside the leaf and all. */
export class CtEntries {
  readonly #watch: LogWatch;
  readonly #http: HttpLog;

  constructor(watch: LogWatch, way: Way) {
    this.#watch = watch;
    this.#http = new HttpLog(watch.main.url, { ...WATCHING, ...way });
  }

  /**
   * Of [first, end), which lie in one tile: bound to the proven tree by their leaf hashes. One that is another, or cannot be
   * read, is a finding in its place, and hides none of those beside it.
   */
  async read(first: bigint, end: bigint): Promise<(CtEntry | Wrong)[]> {
    const { log, main, proven } = this.#watch;
    const raw = await this.#ask(first, end);
    const leaves = raw.map(({ leaf }) => leaf);
    const changed = await proven.changedLeaves(first, end, leaves, main);
    return raw.map(({ leaf, extra }, at) => {
      const index = first + BigInt(at);
      const difference = changed.find(({ place }) => isAt(place, index));
      if (difference !== undefined) return changedIn(log.name, difference);
      try {
        return readCtEntry(leaf, extra);
      } catch (error) {
        return new Wrong("certificate-mismatch", `CT entry ${index} cannot be read: ${messageOf(error)}`);
      }
    });
  }

  /** RFC 6962, Section 4.6: a log may answer with fewer than it was asked for. */
  async #ask(first: bigint, end: bigint) {
    const raw: { readonly leaf: Uint8Array; readonly extra: Uint8Array }[] = [];
    for (let next = first; next < end; next = first + BigInt(raw.length)) {
      const path = `/ct/v1/get-entries?start=${next}&end=${end - 1n}`;
      const answer = member(await this.#http.getJson(path), "entries", Array.isArray);
      if (answer.length === 0) throw this.#http.notAnAnswer(path, "has no entries");
      for (const entry of answer) {
        const [leaf, extra] = [member(entry, "leaf_input", isText), member(entry, "extra_data", isText)];
        raw.push({ leaf: Buffer.from(leaf, "base64"), extra: Buffer.from(extra, "base64") });
      }
    }
    return raw;
  }
}

/** Whether it is this entry that is other, or one of several. */
export function isAt(place: Place, index: bigint): boolean {
  return place.kind === "entry" && place.index <= index && index <= place.index + BigInt(place.more ?? 0);
}

/** That what a log serves is not what was proven of it. */
export function changedIn(log: string, difference: Difference): Wrong {
  const { place, message } = difference;
  const trouble = place.kind === "tile" ? "changed-tile" : "changed-entry";
  return new Wrong(trouble, `${log}, ${message}`, undefined, subjectOf(log, place));
}
