/** A part of an OpenAPI 3.1 description: what one service answers below a prefix that it shares with others. */
export interface ApiPart {
  readonly paths: Readonly<Record<string, object>>;
  /** By their names, which no other part has. */
  readonly schemas: Readonly<Record<string, object>>;
}

export const schema = {
  string: { type: "string" },
  strings: { type: "array", items: { type: "string" } },
  /** Of any size, as a text: JSON's numbers end at 2^53. */
  decimal: { type: "string", pattern: "^[0-9]+$" },
  hex: { type: "string", pattern: "^[0-9a-f]*$" },
  base64: { type: "string", contentEncoding: "base64" },
  time: { type: "string", format: "date-time" },
  day: { type: "string", format: "date" },
  count: { type: "integer", minimum: 0 },
  boolean: { type: "boolean" },
} as const;

/** A named schema. */
export function schemaOf(name: string): object {
  return { $ref: `#/components/schemas/${name}` };
}

export function list(items: object): object {
  return { type: "array", items };
}

/** An object whose members are all there, but for those whose names end in `?`. */
export function object(members: Readonly<Record<string, object>>): object {
  const names = Object.keys(members);
  return {
    type: "object",
    required: names.filter((name) => !name.endsWith("?")),
    properties: Object.fromEntries(names.map((name) => [name.replace(/\?$/, ""), members[name]])),
  };
}

/** What may be null. */
export function orNull(of: object): object {
  return { anyOf: [of, { type: "null" }] };
}

/** A parameter of the query. */
export function query(name: string, of: object, description: string) {
  return { name, in: "query", schema: of, description };
}

/** Answers with a named schema, and the errors that every such path has: the schema `Error`. */
export function responses(name: string, mayMiss = false) {
  const error = (description: string) => ({
    description,
    content: { "application/json": { schema: schemaOf("Error") } },
  });
  return {
    200: { description: "OK", content: { "application/json": { schema: schemaOf(name) } } },
    400: error("A parameter is not what it should be; the message begins with its name."),
    401: error("Where readers have to sign in: nobody did."),
    403: error("Where readers have to sign in: whoever did may not read this."),
    ...(mayMiss && { 404: error("There is none.") }),
    429: error("Too many requests are under way."),
    503: error(
      "Ask again later; but with the code `damaged` what is stored is not what was logged, and only the operator can mend it.",
    ),
  };
}
