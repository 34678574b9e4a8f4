import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { html, page } from "../src/page.ts";

describe("a page", () => {
  test("shows its style: the policy names the hash of just what stands in the element", () => {
    const { body, headers } = page("Title", html`<p>text</p>`);
    const [, style] = /<style>([^]*?)<\/style>/.exec(body)!;
    const hash = createHash("sha256").update(style!).digest("base64");
    expect(headers["Content-Security-Policy"]).toContain(`style-src 'sha256-${hash}'`);
  });

  test("escapes every value that is not markup of our own", () => {
    const hostile = `"><script>alert('1')</script>&`;
    const { body } = page(hostile, html`<a title="${hostile}">${hostile}</a>${[html`<b>${hostile}</b>`]}`);
    expect(body).not.toContain("<script");
    expect(body.match(/&quot;&gt;&lt;script&gt;alert\(&#39;1&#39;\)&lt;\/script&gt;&amp;/g)).toHaveLength(5);
  });

  test("runs nothing and is framed by nobody", () => {
    const { headers } = page("Title", html`<p>text</p>`);
    expect(headers["Content-Security-Policy"]).toMatch(/^default-src 'none';.*frame-ancestors 'none'/);
    expect(headers["Content-Security-Policy"]).not.toContain("script-src");
  });
});
