/** Where a client is told which entry is equal to the one it sent; upstream answers with nothing else of it. */
export const DUPLICATE_HEADER = "x-log-index";

export function alreadyThere(index: bigint): string {
  return `an equivalent entry already exists in the transparency log with index ${index}`;
}
