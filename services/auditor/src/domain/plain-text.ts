const MOST_CHARACTERS = 2_000;
/** Control and format characters, those that turn the line around, and letters that nobody sees. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]/gu;
/** HTML and Slack's `<!channel>` and `<url|text>`, entities, Markdown's emphasis and code, `[text](url)`. */
const MARKUP = /[<>&`*~|]|\](?=[([:])/g;
/** `@here`, `@user`: with nothing before it, or one that calls everyone wherever it stands. An e-mail address stays readable. */
const MENTION = /(?<![A-Za-z0-9])@|@(?=(?:here|everyone|channel|all)\b)/gi;

/** Text with a stranger's words in it, as one line that shows all there is. */
export function plainText(text: string): string {
  const plain = text.replaceAll(UNSEEN, escaped);
  return plain.length <= MOST_CHARACTERS ? plain : `${plain.slice(0, MOST_CHARACTERS)}…`;
}

/** The same for a chat: nobody is called, nothing is a link, nothing is formatted. */
export function chatText(text: string): string {
  return plainText(text)
    .replaceAll(MARKUP, escaped)
    .replaceAll(MENTION, escaped)
    .replaceAll("://", "[:]//")
    .replaceAll(/\bwww\./gi, (www) => `${www.slice(0, 3)}[.]`);
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}
