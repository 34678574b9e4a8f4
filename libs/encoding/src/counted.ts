/** A number and what it counts, for people: `counted(1, "entry", "entries")` is "1 entry". */
export function counted(count: number | bigint | string, one: string, many = `${one}s`): string {
  return `${count} ${String(count) === "1" ? one : many}`;
}

/** Of a log or a tree. */
export function countedEntries(count: number | bigint | string): string {
  return counted(count, "entry", "entries");
}
