import { describe, expect, test } from "vitest";
import { parseTemplate, renderTemplate } from "../src/domain/template.ts";

const claims: Record<string, string> = { url: "https://x", ref: "main", type: "branch", empty: "", "a/b.c": "deep" };
const render = (text: string, mayBeEmpty = true) =>
  renderTemplate(parseTemplate(text, "key"), (name) => claims[name], mayBeEmpty);

describe("the subset of text/template that configurations use", () => {
  test.for([
    ["ref", "main"],
    ["empty", ""],
    ["{{ .url }}/{{.ref}}", "https://x/main"],
    ['{{ index . "a/b.c" }}', "deep"],
    ['{{(index . "a/b.c")}}!', "deep!"],
    ['{{ index . "missing" }}', ""],
    ["{{ index . `a/b.c` }}", "deep"],
    ['refs/{{if eq .type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}', "refs/heads/main"],
    ['{{if eq .type "tag"}}a{{ else }}""{{end}}', '""'],
    ['{{if eq .type "tag" "branch"}}a{{end}}', "a"],
    ["{{if .empty}}a{{else if .ref}}b{{else}}c{{end}}", "b"],
    ["{{if .empty}}a{{end}}b", "b"],
    ['{{if eq (index . "a/b.c") "deep"}}{{if .ref}}x{{end}}{{end}}', "x"],
    ['{{ eq .ref "main" }} {{ eq .ref "x" }}', "true false"],
    ['{{ eq (eq .ref "main") (eq .type "branch") }}', "true"],
    ["a }} b{{.ref}}", "a }} bmain"],
  ])("%s", ([text, expected]) => {
    expect(render(text!)).toBe(expected);
  });

  test("a missing claim is an error, but not for index", () => {
    expect(() => render("{{ .missing }}")).toThrow(/missing missing claim/);
    expect(() => render("missing")).toThrow(/missing missing claim/);
    expect(() => render("{{if .missing}}{{end}}")).toThrow(/missing missing claim/);
  });

  test("where identities are made, nothing may be empty", () => {
    expect(() => render("{{ .url }}/{{ .empty }}", false)).toThrow(/missing or empty/);
    expect(() => render('{{ index . "missing" }}', false)).toThrow(/missing or empty/);
  });

  test("what a claim says is not interpreted", () => {
    claims["evil"] = "{{ .url }}";
    expect(render("{{ .evil }}")).toBe("{{ .url }}");
  });

  test.for([
    ["{{ .url }/{{ .ref }}", 'template: "{{ .url }/" is not closed: }} is missing'],
    ["{{ .url }}/{{ .ref }", 'template: "{{ .ref }" is not closed: }} is missing'],
    ["{{ .url }}/{{ if .ref }x{{ end }}", 'template: "{{ if .ref }x" is not closed: }} is missing'],
    [`{{ .a ${"b".repeat(90)}`, `template: "{{ .a ${"b".repeat(34)}…" is not closed`],
    ["{ .url }}", 'template: "{ .url }}" has }} and no {{ before it'],
    ["{{{ .url }}}", 'in {{{ .url }} what begins with "{ .url " is not supported'],
    ["{{ .a | html }}", 'in {{ .a | html }} what begins with "| html " is not supported'],
  ] as const)("of %s says what is wrong and where", ([text, complaint]) => {
    expect(() => parseTemplate(text, "key")).toThrow(complaint);
  });

  test.for([
    "{{",
    "{{ .a",
    "{{ .ref }}\n",
    "{{if .ref}}\n{{ .ref }}{{end}}",
    "{{ eq .ref `a\nb` }}",
    "{{ }}",
    "{{ .a.b }}",
    "{{ printf .a }}",
    "{{ .a | html }}",
    "{{ range .a }}{{ end }}",
    "{{ if .a }}",
    "{{ end }}",
    "{{ else }}",
    "{{ if .a }}{{ else }}{{ else }}{{ end }}",
    "{{ eq .a }}",
    '{{ eq (eq .a "x") "true" }}',
    '{{ if eq .a (eq .b "x") }}{{ end }}',
    "{{ index .a }}",
    '{{ index . "a" "b" }}',
    "{{ (.a }}",
    "{{- .a -}}",
    "{{/* note */}}",
    "{{ $x := .a }}",
    '{{ "a\\u0041" }}',
    "{{ . }}",
  ])("refuses %s", (text) => {
    expect(() => parseTemplate(text, "key")).toThrow(expect.objectContaining({ code: "misconfigured", key: "key" }));
  });
});
