/** What the process says of itself on its metrics port. */
export interface Gauges {
  /** Milliseconds: the longest turn of the event loop since it was asked last. */
  readonly stall: number;
  /** Bytes. */
  readonly resident: number;
  readonly heap: number;
  /** Seconds of CPU since the process began, of all its threads. */
  readonly cpu: number;
}

export async function readGauges(metricsUrl: string): Promise<Gauges> {
  const text = await (await fetch(metricsUrl)).text();
  const value = (name: string) => {
    const found = new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.e+-]+)$`, "m").exec(text)?.[1];
    if (found === undefined) throw new Error(`the metrics have no ${name}`);
    return Number(found);
  };
  return {
    stall: value("nodejs_eventloop_lag_max_seconds") * 1000,
    resident: value("process_resident_memory_bytes"),
    heap: value("nodejs_heap_size_used_bytes"),
    cpu: value("process_cpu_seconds_total"),
  };
}
