import { Malformed, Misconfigured } from "@chancery/fault";

/**
 * The part of Go's text/template that Fulcio configurations use:
 *
 * ```text
 * template = { text / "{{" action "}}" }
 * action   = "if" term … "else" [ "if" term ] … "end" / term
 * term     = "eq" operand operand { operand } / "index" "." string / operand
 * operand  = "." name / string / "(" term ")"
 * ```
 *
 * A text without `{{` is not a template but the name of a claim. Claims are only ever inserted as text: nothing in
 * them is interpreted.
 */
export type Template = readonly Part[];

type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "insert"; readonly term: Term }
  | { readonly type: "choice"; readonly condition: Term; readonly yes: Template; readonly no: Template };

type Term =
  | { readonly type: "literal"; readonly text: string }
  | { readonly type: "claim"; readonly name: string; readonly mustExist: boolean }
  | { readonly type: "equal"; readonly operands: readonly Term[] };

/** Claims and defaults by name; undefined where neither has it. */
export type Values = (name: string) => string | undefined;

/** Misconfigured, naming `key`, if the text is more than this subset or less than a template. */
export function parseTemplate(text: string, key: string): Template {
  const parser = new TemplateParser(text, key);
  return text.includes("{{") ? parser.template() : parser.claimName();
}

/** `mayBeEmpty` is false where a missing claim would make two identities the same. */
export function renderTemplate(template: Template, values: Values, mayBeEmpty: boolean): string {
  return template.map((part) => renderPart(part, values, mayBeEmpty)).join("");
}

function renderPart(part: Part, values: Values, mayBeEmpty: boolean): string {
  if (part.type === "text") return part.text;
  if (part.type === "choice") {
    return renderTemplate(evaluate(part.condition, values) === "" ? part.no : part.yes, values, mayBeEmpty);
  }
  const text = evaluate(part.term, values);
  if (text === "" && !mayBeEmpty)
    throw new Malformed("a claim that the certificate's name is made of is missing or empty");
  return text === "" && part.term.type === "equal" ? "false" : text;
}

/** The empty string is false, as in Go. */
function evaluate(term: Term, values: Values): string {
  if (term.type === "literal") return term.text;
  if (term.type === "claim") {
    const value = values(term.name);
    if (value === undefined && term.mustExist) throw new Malformed(`missing ${term.name} claim in ID token`);
    return value ?? "";
  }
  const [first, ...others] = term.operands.map((operand) => evaluate(operand, values));
  return others.includes(first ?? "") ? "true" : "";
}

const ACTION = /\{\{([^]*?)\}\}/g;
const TOKEN = /\s*(?:\.([A-Za-z_][A-Za-z0-9_]*)|("(?:[^"\\\n]|\\["\\])*")|`([^`]*)`|([a-z]+|[().]))/y;

interface Token {
  readonly type: "field" | "string" | "word";
  readonly text: string;
}

/** Recursive descent over the pieces between `{{` and `}}`. */
class TemplateParser {
  readonly #key: string;
  /** Text and actions, alternately, text first. */
  readonly #pieces: readonly string[];
  #at = 0;
  #tokens: Token[] = [];

  constructor(text: string, key: string) {
    this.#key = key;
    this.#pieces = text.split(ACTION);
    const open = this.#pieces.find((piece, place) => place % 2 === 0 && piece.includes("{{"));
    if (open !== undefined) throw this.#unclosed(open.slice(open.indexOf("{{")));
  }

  /** Of a text without `{{`: in a template that lacks a brace Go would look for a claim of that name at each token. */
  claimName(): Template {
    const [name = ""] = this.#pieces;
    if (name.includes("}}")) throw this.#misconfigured(`"${beginning(name)}" has }} and no {{ before it`);
    return [{ type: "insert", term: { type: "claim", name, mustExist: true } }];
  }

  template(): Template {
    const { parts, end } = this.#until([]);
    if (end !== "") throw this.#misconfigured(`${end} without if`);
    return parts;
  }

  /** Parts up to one of the words, whose action is then the current one. */
  #until(words: readonly string[]): { readonly parts: Template; readonly end: string } {
    const parts: Part[] = [];
    for (;;) {
      const text = this.#pieces[this.#at++] ?? "";
      this.#assertPlain(text);
      if (text !== "") parts.push({ type: "text", text });
      if (this.#at >= this.#pieces.length) {
        if (words.length > 0) throw this.#misconfigured("if without end");
        return { parts, end: "" };
      }
      this.#tokens = this.#tokenize(this.#pieces[this.#at++] ?? "");
      const word = this.#tokens[0]?.type === "word" ? (this.#tokens[0]?.text ?? "") : "";
      if (word === "end" || word === "else") {
        this.#tokens.shift();
        return { parts, end: word };
      }
      parts.push(word === "if" ? this.#choice() : { type: "insert", term: this.#onlyTerm() });
    }
  }

  #choice(): Part {
    this.#tokens.shift();
    const condition = this.#onlyTerm();
    const yes = this.#until(["else", "end"]);
    if (yes.end === "end") {
      this.#assertNothingLeft();
      return { type: "choice", condition, yes: yes.parts, no: [] };
    }
    if (this.#tokens[0]?.text === "if") return { type: "choice", condition, yes: yes.parts, no: [this.#choice()] };
    this.#assertNothingLeft();
    const no = this.#until(["end"]);
    if (no.end !== "end") throw this.#misconfigured("a second else");
    this.#assertNothingLeft();
    return { type: "choice", condition, yes: yes.parts, no: no.parts };
  }

  #onlyTerm(): Term {
    const term = this.#term();
    this.#assertNothingLeft();
    return term;
  }

  #term(): Term {
    const [token] = this.#tokens;
    if (token?.type !== "word" || token.text === "(") return this.#operand();
    this.#tokens.shift();
    if (token.text === "eq") {
      const operands: Term[] = [];
      while (this.#tokens.length > 0 && this.#tokens[0]?.text !== ")") operands.push(this.#operand());
      if (operands.length < 2) throw this.#misconfigured("eq needs two operands");
      // Go finds out at each token, and no certificate is ever issued.
      const comparisons = operands.filter(({ type }) => type === "equal").length;
      if (comparisons > 0 && comparisons < operands.length) {
        throw this.#misconfigured("eq compares a text with what is true or false");
      }
      return { type: "equal", operands };
    }
    const [dot, name] = [this.#tokens.shift(), this.#tokens.shift()];
    if (token.text !== "index" || dot?.type !== "word" || dot.text !== "." || name?.type !== "string") {
      throw this.#misconfigured(`${token.text} is not supported here`);
    }
    // As in Go: missingkey=error does not reach index, which gives the empty string.
    return { type: "claim", name: name.text, mustExist: false };
  }

  #operand(): Term {
    const token = this.#tokens.shift();
    if (token?.type === "field") return { type: "claim", name: token.text, mustExist: true };
    if (token?.type === "string") {
      this.#assertPlain(token.text);
      return { type: "literal", text: token.text };
    }
    if (token?.type !== "word" || token.text !== "(") throw this.#misconfigured("an operand is missing");
    const term = this.#term();
    if (this.#tokens.shift()?.text !== ")") throw this.#misconfigured("a parenthesis is not closed");
    return term;
  }

  #tokenize(action: string): Token[] {
    const tokens: Token[] = [];
    const end = action.trimEnd().length;
    for (TOKEN.lastIndex = 0; TOKEN.lastIndex < end;) {
      const at = TOKEN.lastIndex;
      const [match, field, quoted, raw, word] = TOKEN.exec(action) ?? [];
      if (match === undefined) throw this.#unreadable(action, action.slice(at).trimStart());
      if (field !== undefined) tokens.push({ type: "field", text: field });
      else if (word !== undefined) tokens.push({ type: "word", text: word });
      else tokens.push({ type: "string", text: raw ?? (JSON.parse(quoted ?? '""') as string) });
    }
    return tokens;
  }

  /** As claims are held to at each token, of which then none would get a certificate: YAML's `|` ends in a line break. */
  #assertPlain(text: string): void {
    if (/\p{Cc}/u.test(text)) throw this.#misconfigured("a line break or another control character stands in its text");
  }

  #assertNothingLeft(): void {
    if (this.#tokens.length > 0) throw this.#misconfigured(`${this.#tokens[0]?.text} is one too many`);
  }

  #unreadable(action: string, rest: string): Misconfigured {
    const next = action.indexOf("{{");
    if (next !== -1) return this.#unclosed(`{{${action.slice(0, next)}`);
    return this.#misconfigured(`in {{${action}}} what begins with "${beginning(rest)}" is not supported`);
  }

  #unclosed(action: string): Misconfigured {
    return this.#misconfigured(`"${beginning(action)}" is not closed: }} is missing`);
  }

  #misconfigured(reason: string): Misconfigured {
    return new Misconfigured(this.#key, `template: ${reason}`);
  }
}

/** Enough to find the place by. */
function beginning(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}
