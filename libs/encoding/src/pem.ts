import { Malformed } from "@chancery/fault";
import { decodeBase64Lines, encodeBase64 } from "./base64.ts";

export interface PemBlock {
  readonly label: string;
  readonly der: Uint8Array;
}

export interface PemOptions {
  /** The labels that may stand here; all when absent. */
  readonly labels?: readonly string[];
  /** At most this many blocks, 16 unless told. */
  readonly max?: number;
}

const LINE = 64;

/** RFC 7468, Section 3: the strict form, lines of 64, LF, with a line end after the last. */
export function encodePem(label: string, der: Uint8Array): string {
  const base64 = encodeBase64(der);
  let text = `-----BEGIN ${label}-----\n`;
  // Cut by hand: by a regular expression it took four fifths of the time.
  for (let at = 0; at < base64.length; at += LINE) text += `${base64.slice(at, at + LINE)}\n`;
  return `${text}-----END ${label}-----\n`;
}

/**
 * One or more blocks, and nothing else but white space:
 *
 * ```text
 * textualmsg = preeb *WSP eol *eolWSP base64text posteb *WSP [eol]      RFC 7468, Section 3
 * ```
 *
 * Line lengths are not looked at (Java writes 76, shell scripts write one line); everything else is. Explanatory text
 * and RFC 1421 headers are refused: what two parsers would skip differently, one of them has not read.
 */
export function parsePem(input: string | Uint8Array, field: string, options: PemOptions = {}): PemBlock[] {
  // One character an octet: whatever is not ASCII is then outside every alphabet below.
  const text = typeof input === "string" ? input : latin1.decode(input);
  const max = options.max ?? 16;
  const blocks: PemBlock[] = [];
  let at = skipWhiteSpace(text, 0);
  while (at < text.length) {
    if (blocks.length === max) throw new Malformed(`${field}: more than ${max} PEM ${max === 1 ? "block" : "blocks"}`);
    const { block, end } = readBlock(text, at, field);
    if (options.labels !== undefined && !options.labels.includes(block.label)) {
      throw new Malformed(`${field}: a PEM block ${block.label} where ${options.labels.join(" or ")} is expected`);
    }
    blocks.push(block);
    at = skipWhiteSpace(text, end);
  }
  if (blocks.length === 0) throw new Malformed(`${field}: no PEM block`);
  return blocks;
}

const latin1 = new TextDecoder("latin1");

// labelchar of RFC 7468 is any printable but "-"; every label in use is upper-case words and digits.
const BEGIN = /-----BEGIN ([A-Z0-9]+(?: [A-Z0-9]+)*)-----[ \t]*\r?\n/y;
const AFTER_END = /[ \t]*(?:\r?\n|$)/y;

function readBlock(text: string, start: number, field: string): { block: PemBlock; end: number } {
  BEGIN.lastIndex = start;
  const label = BEGIN.exec(text)?.[1];
  if (label === undefined) throw new Malformed(`${field}: not PEM, or text outside its blocks`);
  const bodyStart = BEGIN.lastIndex;
  const endLine = `-----END ${label}-----`;
  const bodyEnd = text.indexOf("-----", bodyStart);
  if (bodyEnd < 0 || !text.startsWith(endLine, bodyEnd) || text[bodyEnd - 1] !== "\n") {
    throw new Malformed(`${field}: the PEM block ${label} has no end`);
  }
  AFTER_END.lastIndex = bodyEnd + endLine.length;
  if (!AFTER_END.test(text)) throw new Malformed(`${field}: text after the end of the PEM block ${label}`);
  const end = AFTER_END.lastIndex;
  const der = decodeBase64Lines(withoutBlanks(text.slice(bodyStart, bodyEnd)), `${field} (PEM block ${label})`);
  if (der.length === 0) throw new Malformed(`${field}: the PEM block ${label} is empty`);
  return { block: { label, der }, end };
}

/** Not by `/[ \t]*\r?\n/g`, which begins anew at each blank: a line of 60,000, with something else behind, took 24 s. */
function withoutBlanks(body: string): string {
  // As nearly every one is written.
  if (!/[ \t\r]/.test(body)) return body;
  return body.split("\n").map(withoutBlanksAtEnd).join("");
}

function withoutBlanksAtEnd(line: string): string {
  let end = line.endsWith("\r") ? line.length - 1 : line.length;
  while (end > 0 && " \t".includes(line.charAt(end - 1))) end--;
  return line.slice(0, end);
}

function skipWhiteSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && " \t\r\n".includes(text.charAt(at))) at++;
  return at;
}
