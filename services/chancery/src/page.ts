import { createHash } from "node:crypto";

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 54rem; margin: 3rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
table { border-spacing: 0; } th { text-align: left; font-weight: normal; padding-right: 2rem; opacity: .7; }
pre { padding: .8rem 1rem; border: 1px solid #8886; border-radius: .4rem; overflow-x: auto; font-size: .85rem; }
input, button { font: inherit; padding: .35rem .7rem; } .warning { border-left: .25rem solid #c60; padding-left: .8rem; }
`;
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** Text made safe for an element's content or a quoted attribute. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Every value that is not Html already is escaped: what a page shows cannot become markup. */
export function html(parts: TemplateStringsArray, ...values: (string | Html | readonly Html[])[]): Html {
  const shown = values.map((value) => {
    if (typeof value === "string") return escapeHtml(value);
    return value instanceof Html ? value.text : value.map(({ text }) => text).join("");
  });
  return new Html(String.raw({ raw: parts }, ...shown));
}

export interface Page {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** In one piece, for a formatter would put spaces into the template, and they are part of what is hashed. */
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);

/** A page of its own: no script, nothing from elsewhere, in nobody's frame. `formTargets` are CSP sources. */
export function page(title: string, content: Html, formTargets = "'none'"): Page {
  const body = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <h1>${title}</h1>
        ${content}
      </body>
    </html> `;
  return {
    body: body.text,
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action ${formTargets}; frame-ancestors 'none'; base-uri 'none'`,
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
      "Cache-Control": "no-store",
    },
  };
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (char) => entities[char] ?? char);
}
