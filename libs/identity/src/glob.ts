/** A compiled pattern: literal characters, `*` and `**`. */
export type Glob = readonly Token[];

type Token = string | typeof WITHIN | typeof ACROSS;

/** `*`: any run of characters without a slash, also none. */
const WITHIN = Symbol("*");
/** `**`: any run of characters, also none. */
const ACROSS = Symbol("**");

const PIECES = /\*\*|\*|\\[*\\]|[^]/g;

/**
 * ```text
 * glob = { "**" / "*" / "\*" / "\\" / any other character }
 * ```
 *
 * `*` does not cross a slash, `**` does; a backslash makes a star or a backslash plain. All else, `?` and `[`
 * too, stands for itself. Undefined for what can mean nothing: three stars in a row.
 */
export function parseGlob(pattern: string): Glob | undefined {
  if (/(?<!\\)(?:\\\\)*\*{3}/.test(pattern)) return undefined;
  return [...pattern.matchAll(PIECES)].map(([piece]) => {
    if (piece === "**") return ACROSS;
    if (piece === "*") return WITHIN;
    return piece.length === 2 ? piece.slice(1) : piece;
  });
}

/** The pattern that was parsed. */
export function globText(glob: Glob): string {
  return glob
    .map((token) => (typeof token === "symbol" ? (token.description ?? "") : token.replace(/[*\\]/, "\\$&")))
    .join("");
}

/**
 * The whole text must match. All ways to read the pattern are followed at once, a set of places in it that moves
 * along the text: the time is linear in the text, which is the sender's, whatever the pattern.
 */
export function globMatches(glob: Glob, text: string): boolean {
  let places = reachable(glob, [0]);
  for (let at = 0; at < text.length && places.length > 0; at++) {
    const character = text.charAt(at);
    const next: number[] = [];
    for (const place of places) {
      const token = glob[place];
      if (token === ACROSS || (token === WITHIN && character !== "/")) push(next, place);
      else if (token === character) push(next, place + 1);
    }
    places = reachable(glob, next);
  }
  return places.at(-1) === glob.length;
}

/** With every place that stars leave free to begin at, in ascending order. */
function reachable(glob: Glob, places: readonly number[]): number[] {
  const all: number[] = [];
  for (const place of places) {
    let reached = place;
    push(all, reached);
    while (typeof glob[reached] === "symbol") push(all, ++reached);
  }
  return all;
}

/** Places come in ascending order but for those that a star before them has reached already. */
function push(places: number[], place: number): void {
  if (places.length === 0 || (places.at(-1) ?? 0) < place) places.push(place);
}
