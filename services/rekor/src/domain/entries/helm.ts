import { canonicalJson, encodeBase64, utf8 } from "@chancery/encoding";
import { TooLarge } from "@chancery/fault";
import { chartDigest } from "../package/helm-provenance.ts";
import { canonicalPgpSignature, verifyDetachedPgp } from "../pki/pgp.ts";
import { parseCleartext } from "../pki/pgp-cleartext.ts";
import { parsePgpKeyRing } from "../pki/pgp-key-ring.ts";
import { keySearchTexts } from "../pki/signing-key.ts";
import { VerificationBudget } from "../verification-budget.ts";
import type { EntryKind, ParsedEntry, ProposedEntry } from "./entry-kind.ts";
import { isObject, SpecReader } from "./spec-reader.ts";

/**
 * The provenance file of a Helm chart.
 *
 *     proposed  { chart: { provenance: { content } }, publicKey: { content } }
 *     stored    { chart: { hash, provenance: { signature: { content } } }, publicKey }
 */
export const helm: EntryKind = {
  kind: "helm",
  apiVersions: ["0.0.1"],
  parse,
  isStored: (spec) => {
    const provenance = isObject(spec["chart"]) ? spec["chart"]["provenance"] : undefined;
    return isObject(provenance) && (provenance["content"] ?? undefined) === undefined;
  },
};

/** A Chart.yaml and a signature. */
const MAX_PROVENANCE_BYTES = 256 * 1024;

async function parse({ apiVersion, kind, spec }: ProposedEntry): Promise<ParsedEntry> {
  const reader = new SpecReader(spec, "spec");
  const key = reader.object("publicKey").placed("content");
  const chart = reader.object("chart");
  const provenance = chart.object("provenance");
  const { bytes, field } = provenance.placed("content");
  // Clients that send what is stored too are not believed: it is computed below.
  chart.ignore("hash");
  provenance.ignore("signature");
  reader.end();
  if (bytes.length > MAX_PROVENANCE_BYTES) throw new TooLarge(`${field}: longer than ${MAX_PROVENANCE_BYTES} bytes`);

  const message = parseCleartext(bytes, field);
  const value = chartDigest(message.text, field);
  const budget = new VerificationBudget();
  const ring = await parsePgpKeyRing(key, budget);
  await verifyDetachedPgp(message.signed, { bytes: message.signature, field }, ring, budget);
  const body = canonicalJson({
    apiVersion,
    kind,
    spec: {
      chart: {
        hash: { algorithm: "sha256", value },
        provenance: { signature: { content: encodeBase64(canonicalPgpSignature(message.signature)) } },
      },
      publicKey: { content: encodeBase64(ring.canonical) },
    },
  });
  return { body: utf8(body), searchTexts: [...keySearchTexts(ring), `sha256:${value}`], signers: [ring] };
}
