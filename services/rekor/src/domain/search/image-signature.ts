import { sha256 } from "@chancery/crypto";
import { encodeHex, utf8 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { preAuthenticationEncoding } from "../entries/dsse-envelope.ts";

/*
 * Neither generation of cosign logs an image's digest when it signs the image: it logs the digest of a text that has it
 * inside. The text follows from the image alone, as long as nobody adds annotations of their own.
 */

/**
 * What a signature or attestation of an image is found by: `sha256:<digest>`, behind `<repository>[:<tag>]@` or not. The
 * repository is needed for what cosign 2 signs.
 */
export function imageDigests(name: string, value: string): string[] {
  const [, repository, digest] = /^(?:([^@\s]+)@)?(?:sha256:)?([0-9a-f]{64})$/.exec(value) ?? [];
  if (digest === undefined) throw new Malformed(`${name}: neither <repository>@sha256:<digest> nor sha256:<digest>`);
  const signed = STATEMENTS.map((statement) => statementEncoding(statement(digest)));
  if (repository !== undefined) signed.push(utf8(simpleSigning(fullRepository(repository), digest)));
  return [digest, ...signed.map((bytes) => encodeHex(sha256(bytes)))].map((each) => `sha256:${each}`);
}

/**
 * What cosign 3 signs, and 2.6 with a signing config, in an envelope. Which of the two is a matter of how the program was
 * built: Go's protojson puts a space after each comma in every other build, so that nobody relies on it.
 */
const STATEMENTS = ["", " "].map((space) => (digest: string) => {
  const subject = `[{"digest":{"sha256":"${digest}"},${space}"annotations":{}}]`;
  return [
    `{"_type":"https://in-toto.io/Statement/v1"`,
    `"subject":${subject}`,
    `"predicateType":"https://sigstore.dev/cosign/sign/v1"`,
    `"predicate":{}}`,
  ].join(`,${space}`);
});

function statementEncoding(statement: string): Uint8Array {
  return preAuthenticationEncoding({ payloadType: "application/vnd.in-toto+json", payload: utf8(statement) });
}

/** What cosign 2 signs: containers/image, "simple signing", without annotations. */
function simpleSigning(repository: string, digest: string): string {
  const critical = {
    identity: { "docker-reference": repository },
    image: { "docker-manifest-digest": `sha256:${digest}` },
    type: "cosign container image signature",
  };
  return JSON.stringify({ critical, optional: null });
}

/** As clients write it: without a tag, and with the registry and folder that Docker's short names mean. */
function fullRepository(reference: string): string {
  const repository = reference.replace(/:[^:/]*$/, "");
  const [first = "", ...rest] = repository.split("/");
  if (rest.length === 0) return `index.docker.io/library/${first}`;
  if (first === "docker.io") return `index.docker.io/${rest.join("/")}`;
  return first === "localhost" || /[.:]/.test(first) ? repository : `index.docker.io/${repository}`;
}
