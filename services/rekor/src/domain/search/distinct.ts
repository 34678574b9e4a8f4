/** Most entries have fewer texts, and to compare those with one another takes a part of what a Set of them does. */
const FEW = 12;

/** Each once, in the order in which they first come. */
export function distinct<Value>(values: readonly Value[]): readonly Value[] {
  if (values.length < 2) return values;
  return values.length <= FEW ? values.filter(isFirst) : [...new Set(values)];
}

function isFirst<Value>(value: Value, at: number, values: readonly Value[]): boolean {
  return values.indexOf(value) === at;
}

/** Whether a value is one of these. */
export function among<Value>(values: readonly Value[]): (value: Value) => boolean {
  if (values.length <= FEW) return (value) => values.includes(value);
  const all = new Set(values);
  return (value) => all.has(value);
}

export function lowerCase(text: string): string {
  return text.toLowerCase();
}
