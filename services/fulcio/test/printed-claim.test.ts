import type { JsonValue } from "@chancery/encoding";
import { describe, expect, test } from "vitest";
import { ISSUER, principalUnder, refusal } from "./principal-of.ts";

const config = `
oidc-issuers: { "${ISSUER}": { client-id: sigstore, type: ci-provider, ci-provider: ci } }
ci-issuer-metadata:
  ci:
    subject-alternative-name-template: "https://ci.example.com/{{ .project }}"
    extension-templates: { build-trigger: claim, build-config-uri: "{{ if eq .claim \\"[a b]\\" }}both{{ else }}{{ .claim }}{{ end }}" }
`;

const written = (claim: JsonValue) => {
  const { extensions } = principalUnder(config, { project: "a/b", claim }, "s");
  return [extensions["build-trigger"], extensions["build-config-uri"]];
};

// What Go 1.25 prints of these, decoded by encoding/json into a map[string]any, as upstream's mapValuesToString does:
// numbers of the first level by strconv.FormatFloat(v, 'f', -1, 64), all else by fmt's %v.
const PRINTED: readonly (readonly [json: string, printed: string])[] = [
  [`["a","b"]`, "[a b]"],
  [`["a b"]`, "[a b]"],
  [`[]`, "[]"],
  [`{}`, "map[]"],
  [`[[]]`, "[[]]"],
  [`[null,true,false]`, "[<nil> true false]"],
  [
    `[1,2.5,-0,1e3,0.0001,123456789,1000000,999999,12345678901234,0.1,-0.00001,1e-7]`,
    "[1 2.5 -0 1000 0.0001 1.23456789e+08 1e+06 999999 1.2345678901234e+13 0.1 -1e-05 1e-07]",
  ],
  [`{"b":1,"a":["x",{"z":null,"y":"q"}]}`, "map[a:[x map[y:q z:<nil>]] b:1]"],
  [`{"é":1,"z":2,"𝒳":3,"":4}`, "map[:4 z:2 é:1 𝒳:3]"],
  [`{"\uffee":1,"𝒳":2}`, "map[\uffee:1 𝒳:2]"],
  [`["<b>&'"]`, "[<b>&']"],
  [`{"a":{"b":{"c":[1,[2,[3]]]}}}`, "map[a:map[b:map[c:[1 [2 [3]]]]]]"],
  [`-0`, "-0"],
  [`1.5`, "1.5"],
  [`1e3`, "1000"],
  [`0.00012`, "0.00012"],
  [`9007199254740991`, "9007199254740991"],
  [`[9007199254740991]`, "[9.007199254740991e+15]"],
  [`[123456.789]`, "[123456.789]"],
  [`[0.1234567890123456]`, "[0.1234567890123456]"],
  [`true`, "true"],
  [`null`, "<nil>"],
];

describe("a claim that is no text, in an extension", () => {
  test.for(PRINTED)("%s is written as upstream writes it: %s", ([json, printed]) => {
    const [plain, templated] = written(JSON.parse(json) as JsonValue);
    expect(plain).toBe(printed);
    expect(templated).toBe(printed === "[a b]" ? "both" : printed);
  });

  test.for([["\u0000"], { a: "\n" }, [2 ** 60], 1e-7, { a: [["x".repeat(5_000)]] }] as const)(
    "%j is refused: it has what no certificate may say, or what cannot be written exactly",
    (claim) => expect(refusal(() => written(claim))).toMatch(/^claim claim /),
  );
});

describe("a claim that is no text, in a name", () => {
  test.for([["a/b"], ["a", "b"], { a: "b" }, [], {}, null] as const)("%j is refused", (project) => {
    expect(refusal(() => principalUnder(config, { project, claim: "x" }, "s"))).toMatch(/^project claim is /);
  });

  test("is written out if it is a number or a boolean", () => {
    for (const project of [17, true]) {
      const { san } = principalUnder(config, { project, claim: "x" }, "s");
      expect(san.value).toBe(`https://ci.example.com/${project}`);
    }
  });
});
