/** JSON Schema 2020-12, as far as our API's description uses it. */
interface JsonSchema {
  readonly $ref?: string;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly type?: string;
  readonly pattern?: string;
  readonly format?: string;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
}

export interface ApiDescription {
  readonly paths: Readonly<Record<string, { readonly get: { readonly responses: Readonly<Record<string, unknown>> } }>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

/**
 * What of an answer is not as the description says: with no code of ours, and members that it does not name are told too.
 */
export function answerComplaints(api: ApiDescription, path: string, status: number, answer: unknown): string[] {
  const response = api.paths[path]?.get.responses[status] as
    | { readonly content: { readonly "application/json": { readonly schema: JsonSchema } } }
    | undefined;
  if (response === undefined) return [`${path} is not described with ${status}`];
  return complaints(api, response.content["application/json"].schema, answer, path);
}

function complaints(api: ApiDescription, schema: JsonSchema, value: unknown, at: string): string[] {
  if (schema.$ref !== undefined) {
    const named = api.components.schemas[schema.$ref.split("/").at(-1) ?? ""];
    return named === undefined ? [`${schema.$ref} is not described`] : complaints(api, named as JsonSchema, value, at);
  }
  if (schema.anyOf !== undefined) {
    const each = schema.anyOf.map((one) => complaints(api, one, value, at));
    return each.some((found) => found.length === 0) ? [] : (each[0] ?? []);
  }
  if (schema.enum !== undefined) return schema.enum.includes(value) ? [] : [`${at} is ${String(value)}`];
  const kind = kindOf(value);
  if (kind !== schema.type && !(kind === "integer" && schema.type === "number")) {
    return [`${at} is ${kind}, not ${schema.type}`];
  }
  if (typeof value === "string") return isWritten(schema, value) ? [] : [`${at} is ${value}`];
  if (Array.isArray(value)) {
    return value.flatMap((each, place) => complaints(api, schema.items ?? {}, each, `${at}/${place}`));
  }
  return kind === "object" ? memberComplaints(api, schema, value as Readonly<Record<string, unknown>>, at) : [];
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

function isWritten({ pattern, format }: JsonSchema, text: string): boolean {
  if (pattern !== undefined && !new RegExp(pattern).test(text)) return false;
  return format !== "date-time" || /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text);
}

function memberComplaints(
  api: ApiDescription,
  { properties, required = [], additionalProperties }: JsonSchema,
  value: Readonly<Record<string, unknown>>,
  at: string,
): string[] {
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at} has no ${name}`);
  if (properties === undefined && additionalProperties === undefined) return missing;
  const wrong = Object.entries(value).flatMap(([name, each]) => {
    const schema = properties?.[name] ?? additionalProperties;
    return schema === undefined ? [`${at} has ${name}`] : complaints(api, schema, each, `${at}/${name}`);
  });
  return [...missing, ...wrong];
}
