/** A kind of issuer that is known by name: what it expands to is upstream's own configuration, and can be printed. */
export interface Preset {
  readonly name: string;
  /** One line for the list. */
  readonly description: string;
  /** What its issuer URLs look like, for the list and for complaints. */
  readonly issuer: string;
  /** The issuer's keys that the preset sets. */
  readonly settings: Readonly<Record<string, string>>;
  /** The audience, where the issuer leaves no choice. */
  readonly clientId?: string;
  /** Keys that the entry must have besides `client-id`. */
  readonly needs?: readonly string[];
  /** Where people see what the tokens speak of; undefined if the issuer's URL does not tell. */
  readonly instance?: (issuer: string) => string | undefined;
  /** The templates of a `ci-provider`, for one instance. */
  readonly templates?: (url: string) => Templates;
}

export interface Templates {
  /** What stands for claims that not every token has. */
  readonly defaults?: Readonly<Record<string, string>>;
  readonly extensions: Readonly<Record<string, string>>;
  readonly subjectAlternativeName: string;
}

/** The instance is the issuer's URL without its last part. */
export function without(suffix: string): (issuer: string) => string | undefined {
  return (issuer) => (issuer.endsWith(suffix) ? issuer.slice(0, -suffix.length) : undefined);
}
