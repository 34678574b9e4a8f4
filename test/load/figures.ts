/** Of latencies in ascending order. */
export function percentile({ latencies }: { readonly latencies: Float64Array }, rank: number): number {
  return latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * rank))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The median, and between what it lies. */
export function spread(values: readonly number[], digits: number): string {
  const ascending = values.toSorted((a, b) => a - b);
  const [low, mid, high] = [ascending[0], ascending[Math.floor(ascending.length / 2)], ascending.at(-1)].map((value) =>
    (value ?? Number.NaN).toFixed(digits),
  );
  return `${mid} (${low}–${high})`;
}

/** Of rounds that ran side by side, pair by pair: only they met the same machine. */
export function ratios<Round>(
  ones: readonly Round[],
  others: readonly Round[],
  pick: (round: Round) => number,
  digits: number,
): string {
  const pairs = ones.map((one, at) => [one, others[at]] as const);
  return spread(
    pairs.map(([one, other]) => (other === undefined ? Number.NaN : pick(one) / pick(other))),
    digits,
  );
}
