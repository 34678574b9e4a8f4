/** A shape, not a judgement: one `@` between two parts without white space or control characters. */
export function isEmail(text: string): boolean {
  return text.length <= 320 && /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(text);
}
