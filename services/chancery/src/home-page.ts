import type { FastifyInstance } from "fastify";
import { type BannerFacts, DEVELOPMENT_WARNING, pasteLines, places } from "./banner.ts";
import { html, page, type Page } from "./page.ts";

/** `GET /`: what this is, for whoever opens the origin in a browser. */
export function mountHomePage(fastify: FastifyInstance, facts: () => BannerFacts): void {
  fastify.get("/", (_request, reply) => {
    const { headers, body } = homePage(facts());
    reply.headers(headers).send(body);
  });
}

/** The data folder is no visitor's business. */
function homePage(facts: BannerFacts): Page {
  const rows = places(facts).filter(([name]) => name !== "Data" && name !== "Database");
  return page(
    "Chancery",
    html`<p>
        A private Sigstore. Its services speak the public ones' own APIs, so unmodified clients sign and verify here.
      </p>
      ${facts.identityProvider === undefined ? "" : html`<p class="warning">${DEVELOPMENT_WARNING}</p>`}
      <table>
        ${rows.map(
          ([name, place]) =>
            html`<tr>
              <th>${name}</th>
              <td><code>${place}</code></td>
            </tr>`,
        )}
      </table>
      ${pasteLines(facts).map(
        ({ title, lines }) =>
          html`<h2>${title}</h2>
            <pre>${lines.join("\n")}</pre>`,
      )}`,
  );
}
