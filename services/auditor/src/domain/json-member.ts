/** A member of a JSON object, if it is of its type. */
export function member<T>(value: unknown, name: string, is: (member: unknown) => member is T): T {
  const found: unknown = isObject(value) ? value[name] : undefined;
  if (!is(found)) throw new TypeError(`${name} is missing or of another type`);
  return found;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

export function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}
