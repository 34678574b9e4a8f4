/** What comes of `answer`, or what `late` throws where that takes longer. */
export function within<T>(answer: Promise<T>, milliseconds: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), milliseconds);
    void answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
