/** Reads `count` pages in order, a few at a time, so that the log reads while we hash. */
export async function* readAhead<Page>(
  count: number,
  depth: number,
  read: (page: number) => Promise<Page>,
): AsyncGenerator<Page> {
  const reading: Promise<Page>[] = [];
  try {
    for (let next = 0; next < count || reading.length > 0;) {
      while (next < count && reading.length < depth) reading.push(read(next++));
      const page = await reading[0];
      void reading.shift();
      if (page !== undefined) yield page;
    }
  } finally {
    // Whoever left early is not told of what he no longer waits for, but the reads are over when he is gone.
    await Promise.allSettled(reading);
  }
}
