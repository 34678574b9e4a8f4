import { Malformed } from "@chancery/fault";

/**
 * A request that breaks the API's published schema. Answered 422, with the code and the words of go-openapi,
 * which upstream's server is generated with; the first violation only.
 */
export class SchemaViolation extends Malformed {
  readonly schemaCode: number;

  constructor(schemaCode: number, message: string) {
    super(message);
    this.schemaCode = schemaCode;
  }
}

/** Where a value stands in a request. */
export type Location = "body" | "query" | "path";

export const violation = {
  type: (name: string, where: Location, type: string, value: string) =>
    new SchemaViolation(601, `${name} in ${where} must be of type ${type}: ${JSON.stringify(value.slice(0, 64))}`),
  required: (name: string, where: Location) => new SchemaViolation(602, `${name} in ${where} is required`),
  tooLong: (name: string, where: Location, max: number) =>
    new SchemaViolation(603, `${name} in ${where} should be at most ${max} chars long`),
  tooShort: (name: string, where: Location, min: number) =>
    new SchemaViolation(604, `${name} in ${where} should be at least ${min} chars long`),
  pattern: (name: string, where: Location, pattern: string) =>
    new SchemaViolation(605, `${name} in ${where} should match '${pattern}'`),
  enumeration: (name: string, where: Location, choices: readonly string[]) =>
    new SchemaViolation(606, `${name} in ${where} should be one of [${choices.join(" ")}]`),
  tooSmall: (name: string, where: Location, min: number) =>
    new SchemaViolation(609, `${name} in ${where} should be greater than or equal to ${min}`),
  tooManyItems: (name: string, where: Location, max: number) =>
    new SchemaViolation(611, `${name} in ${where} should have at most ${max} items`),
  tooFewItems: (name: string, where: Location, min: number) =>
    new SchemaViolation(612, `${name} in ${where} should have at least ${min} items`),
  /** What upstream's handlers say themselves, with the HTTP status for a code. */
  unprocessable: (message: string) => new SchemaViolation(422, message),
};
