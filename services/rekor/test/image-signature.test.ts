import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { parseConditions } from "../src/domain/search/condition.ts";

const D = "8b69f7d8e07952056bb62d4b8879779e21dc44a4ae00c0501afa9b9923aa9b8f";
const valuesOf = (image: string) => parseConditions("image", image).map(({ value }) => value);
const sha256 = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const encoded = (text: string) => `DSSEv1 28 application/vnd.in-toto+json ${text.length} ${text}`;
const simpleSigning = (repository: string) =>
  sha256(
    `{"critical":{"identity":{"docker-reference":"${repository}"},"image":{"docker-manifest-digest":"sha256:${D}"},"type":"cosign container image signature"},"optional":null}`,
  );

test("an image is asked for by its digest, and by what both builds of cosign 3 sign of it", () => {
  const statement = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"${D}"},"annotations":{}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`;
  const spaced = statement.replaceAll(",", ", ");
  const expected = [`sha256:${D}`, sha256(encoded(statement)), sha256(encoded(spaced))];
  for (const image of [D, `sha256:${D}`, `SHA256:${D.toUpperCase()}`]) expect(valuesOf(image)).toEqual(expected);
  expect(valuesOf(`registry.example.com/a/b@sha256:${D}`).slice(0, 3)).toEqual(expected);
});

test.for([
  ["registry.example.com/a/b", "registry.example.com/a/b"],
  ["registry.example.com:5000/a:v1.2", "registry.example.com:5000/a"],
  ["localhost/a", "localhost/a"],
  ["localhost:5000/a", "localhost:5000/a"],
  ["nginx", "index.docker.io/library/nginx"],
  ["nginx:1.29", "index.docker.io/library/nginx"],
  ["acme/tool", "index.docker.io/acme/tool"],
  ["docker.io/acme/tool:v1", "index.docker.io/acme/tool"],
])("%s is the repository %s in what cosign 2 signs", ([written, meant]) => {
  expect(valuesOf(`${written}@sha256:${D}`).at(-1)).toBe(simpleSigning(meant ?? ""));
});

test.for(["nginx", `nginx@${D.slice(1)}`, `a@b@sha256:${D}`, `sha512:${D}`, `@sha256:${D}`, ` @sha256:${D}`])(
  "%s is no image by digest",
  (image) => {
    expect(() => valuesOf(image)).toThrow(/^image: neither <repository>@sha256:<digest> nor sha256:<digest>$/);
  },
);
