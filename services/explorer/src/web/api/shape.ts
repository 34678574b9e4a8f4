import { Malformed } from "@chancery/fault";

/** Reads one value of an answer, or says what is wrong with it and where. */
export type Shape<T> = (value: unknown, where: string) => T;

export type Shaped<S> = S extends Shape<infer T> ? T : never;

export const text: Shape<string> = (value, where) => {
  if (typeof value === "string") return value;
  throw new Malformed(`${where}: is not a text`);
};

export const flag: Shape<boolean> = (value, where) => {
  if (typeof value === "boolean") return value;
  throw new Malformed(`${where}: is neither true nor false`);
};

export const number: Shape<number> = (value, where) => {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new Malformed(`${where}: is not a number`);
};

/** Sizes and indexes: a decimal text, or a number that is exact. */
export const decimal: Shape<string> = (value, where) => {
  if (typeof value === "string" && /^(0|[1-9]\d{0,18})$/.test(value)) return value;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return String(value);
  throw new Malformed(`${where}: is not a decimal`);
};

export const anything: Shape<unknown> = (value) => value;

export function list<T>(member: Shape<T>): Shape<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw new Malformed(`${where}: is not a list`);
    return value.map((one, index) => member(one, `${where}[${index}]`));
  };
}

/** Missing and null are the same here. */
export function optional<T>(present: Shape<T>): Shape<T | undefined> {
  return (value, where) => (value === undefined || value === null ? undefined : present(value, where));
}

export function oneOf<const T extends string>(...allowed: readonly T[]): Shape<T> {
  return (value, where) => {
    const found = allowed.find((one) => one === value);
    if (found === undefined) throw new Malformed(`${where}: is none of ${allowed.join(", ")}`);
    return found;
  };
}

/** Members that are not named are passed over: a newer server may say more. */
export function shape<S extends Readonly<Record<string, Shape<unknown>>>>(
  members: S,
): Shape<{ readonly [name in keyof S]: Shaped<S[name]> }> {
  return (value, where) => {
    const source = asObject(value, where);
    const read = Object.entries(members).map(([name, member]) => [name, member(source[name], `${where}.${name}`)]);
    return Object.fromEntries(read) as { readonly [name in keyof S]: Shaped<S[name]> };
  };
}

export function texts(value: unknown, where: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(asObject(value, where)).map(([name, one]) => [name, text(one, `${where}.${name}`)]),
  );
}

export function asObject(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new Malformed(`${where}: is not an object`);
}
