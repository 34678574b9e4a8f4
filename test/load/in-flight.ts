export interface Measured {
  readonly count: number;
  readonly seconds: number;
  /** Milliseconds, ascending. */
  readonly latencies: Float64Array;
}

/** Keeps `clients` calls in flight until the time is over or enough were made. */
export async function inFlight(
  clients: number,
  until: { readonly seconds?: number; readonly count?: number },
  call: () => Promise<unknown>,
): Promise<Measured> {
  const latencies: number[] = [];
  const began = performance.now();
  const end = began + (until.seconds ?? Infinity) * 1000;
  let left = until.count ?? Infinity;
  const client = async () => {
    while (performance.now() < end && left-- > 0) {
      const start = performance.now();
      await call();
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - began) / 1000;
  return { count: latencies.length, seconds, latencies: Float64Array.from(latencies).sort() };
}
