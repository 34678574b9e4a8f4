import type { Certificate } from "../certificate/certificate.ts";
import type { EntryBody } from "../statement/entry-body.ts";
import { fingerprint } from "../proof/public-key.ts";

export function signerCertificate(body: EntryBody | undefined): Certificate | undefined {
  return body?.signatures.find(({ certificate }) => certificate !== undefined)?.certificate;
}

/** Who signed, in the words of the entry itself and not of the server. */
export function entryTitle(body: EntryBody | undefined): { readonly title: string; readonly heading: string } {
  const certificate = signerCertificate(body);
  const name = certificate?.sans[0]?.value;
  const key = body?.signatures.find((one) => one.key !== undefined)?.key;
  const who = name ?? (key === undefined ? undefined : `Key ${fingerprint(key).toHex().slice(0, 16)}`);
  const heading = who ?? (body === undefined ? "An entry that cannot be read" : `An entry of kind ${body.kind}`);
  return { title: heading, heading };
}
