import { der, DerReader, Tag, utf8 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import type { BackwardDer } from "./backward-der.ts";
import type { Certificate } from "./certificate.ts";
import { type Extension, wrapExtension } from "./extension.ts";

interface FulcioExtension {
  /** As upstream's configuration templates spell it. */
  readonly name: string;
  readonly oid: string;
  /** `raw`: the text's bytes are the extension's value; `utf8`: a DER UTF8String is. */
  readonly encoding: "raw" | "utf8";
}

/**
 * What a Fulcio certificate says about the token it was issued for, in the order it says it: upstream's
 * oid-info.md. 1.7 is no extension but the type of a user name in the SAN. The issuer stands twice: in the
 * deprecated raw form, which old verifiers read, and as UTF8String.
 */
export const FULCIO_EXTENSIONS = [
  { name: "issuer", oid: "1.3.6.1.4.1.57264.1.1", encoding: "raw" },
  { name: "github-workflow-trigger", oid: "1.3.6.1.4.1.57264.1.2", encoding: "raw" },
  { name: "github-workflow-sha", oid: "1.3.6.1.4.1.57264.1.3", encoding: "raw" },
  { name: "github-workflow-name", oid: "1.3.6.1.4.1.57264.1.4", encoding: "raw" },
  { name: "github-workflow-repository", oid: "1.3.6.1.4.1.57264.1.5", encoding: "raw" },
  { name: "github-workflow-ref", oid: "1.3.6.1.4.1.57264.1.6", encoding: "raw" },
  { name: "issuer", oid: "1.3.6.1.4.1.57264.1.8", encoding: "utf8" },
  { name: "build-signer-uri", oid: "1.3.6.1.4.1.57264.1.9", encoding: "utf8" },
  { name: "build-signer-digest", oid: "1.3.6.1.4.1.57264.1.10", encoding: "utf8" },
  { name: "runner-environment", oid: "1.3.6.1.4.1.57264.1.11", encoding: "utf8" },
  { name: "source-repository-uri", oid: "1.3.6.1.4.1.57264.1.12", encoding: "utf8" },
  { name: "source-repository-digest", oid: "1.3.6.1.4.1.57264.1.13", encoding: "utf8" },
  { name: "source-repository-ref", oid: "1.3.6.1.4.1.57264.1.14", encoding: "utf8" },
  { name: "source-repository-identifier", oid: "1.3.6.1.4.1.57264.1.15", encoding: "utf8" },
  { name: "source-repository-owner-uri", oid: "1.3.6.1.4.1.57264.1.16", encoding: "utf8" },
  { name: "source-repository-owner-identifier", oid: "1.3.6.1.4.1.57264.1.17", encoding: "utf8" },
  { name: "build-config-uri", oid: "1.3.6.1.4.1.57264.1.18", encoding: "utf8" },
  { name: "build-config-digest", oid: "1.3.6.1.4.1.57264.1.19", encoding: "utf8" },
  { name: "build-trigger", oid: "1.3.6.1.4.1.57264.1.20", encoding: "utf8" },
  { name: "run-invocation-uri", oid: "1.3.6.1.4.1.57264.1.21", encoding: "utf8" },
  { name: "source-repository-visibility-at-signing", oid: "1.3.6.1.4.1.57264.1.22", encoding: "utf8" },
  { name: "deployment-environment", oid: "1.3.6.1.4.1.57264.1.23", encoding: "utf8" },
  { name: "token-subject", oid: "1.3.6.1.4.1.57264.1.24", encoding: "utf8" },
] as const satisfies readonly FulcioExtension[];

export type FulcioExtensionName = (typeof FULCIO_EXTENSIONS)[number]["name"];
export type FulcioExtensions = Partial<Readonly<Record<FulcioExtensionName, string>>>;

/** The extensions in the table's order; an empty value leaves its extension out. The issuer MUST be there. */
export function encodeFulcioExtensions(values: FulcioExtensions): Extension[] {
  const extensions: Extension[] = [];
  for (const { name, oid, encoding } of FULCIO_EXTENSIONS) {
    const text = checkedText(values, name);
    if (text === "") continue;
    extensions.push({ oid, critical: false, value: encoding === "raw" ? utf8(text) : der.utf8String(text) });
  }
  return extensions;
}

/** The same as they stand in a certificate, one after the other: what `encodeFulcioExtensions` means, only faster. */
export function writeFulcioExtensions(writer: BackwardDer, values: FulcioExtensions): void {
  for (const { name, encoding, encodedOid } of LAST_FIRST) {
    const text = checkedText(values, name);
    if (text === "") continue;
    const end = writer.position;
    writer.text(text);
    if (encoding === "utf8") writer.wrap(Tag.UTF8_STRING, end);
    wrapExtension(writer, end, encodedOid);
  }
}

/** What they take at most. */
export function roomForFulcioExtensions(values: FulcioExtensions): number {
  let room = 0;
  for (const { name } of FULCIO_EXTENSIONS) room += OVERHEAD + 3 * (values[name]?.length ?? 0);
  return room;
}

const LAST_FIRST = FULCIO_EXTENSIONS.toReversed().map(({ name, oid, encoding }) => {
  return { name, encoding, encodedOid: der.oid(oid) };
});

/** Three headers of at most five bytes and the object identifier's twelve. */
const OVERHEAD = 32;

function checkedText(values: FulcioExtensions, name: FulcioExtensionName): string {
  const text = values[name] ?? "";
  if (name === "issuer" && text === "") throw new Malformed("certificate: the issuer extension is empty");
  // An unpaired surrogate would be written as U+FFFD: a certificate that says what no token said.
  if (!text.isWellFormed()) throw new Malformed(`certificate: ${name} is not well-formed Unicode`);
  return text;
}

/** Where the issuer stands in both forms they MUST be equal, or two verifiers would see two issuers. */
export function parseFulcioExtensions(certificate: Certificate): FulcioExtensions {
  const values: { [name in FulcioExtensionName]?: string } = {};
  for (const { oid, value } of certificate.extensions) {
    const known = BY_OID.get(oid);
    if (known === undefined) continue;
    const { name, encoding } = known;
    const text = encoding === "raw" ? rawText(value, name) : utf8StringText(value, name);
    if (values[name] !== undefined && values[name] !== text) {
      throw new Malformed(`certificate: the two ${name} extensions differ`);
    }
    values[name] = text;
  }
  return values;
}

const BY_OID: ReadonlyMap<string, (typeof FULCIO_EXTENSIONS)[number]> = new Map(
  FULCIO_EXTENSIONS.map((extension) => [extension.oid, extension]),
);

function utf8StringText(value: Uint8Array, name: string): string {
  const reader = new DerReader(value, `certificate extension ${name}`);
  const text = reader.string();
  reader.end();
  return text;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function rawText(bytes: Uint8Array, name: string): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new Malformed(`certificate extension ${name}: not UTF-8`, { cause });
  }
}
