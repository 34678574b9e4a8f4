import { decodeBase64, encodePem } from "@chancery/encoding";
import type { ProvenEntry } from "../api/entries.ts";
import type { EntryBody } from "../statement/entry-body.ts";
import { printableLines } from "../text/printable.ts";
import { Card } from "./card.tsx";
import { signerCertificate } from "./entry-title.ts";
import { saveFile } from "./save-file.ts";
import { Copy } from "./text.tsx";

const LONGEST_SHOWN = 200_000;

interface RawCardProps {
  readonly entry: ProvenEntry;
  readonly body: EntryBody | undefined;
}

/** Everything as it came, and as files. */
export function RawCard({ entry, body }: RawCardProps) {
  const certificate = signerCertificate(body);
  const name = `${entry.log}-${entry.logIndex}`;
  const { bundle, attestationPayload } = entry;
  return (
    <Card title="As files, and raw">
      <div class="actions">
        {bundle !== undefined && bundle !== null && (
          <button
            type="button"
            class="button main"
            onClick={() =>
              saveFile(`${name}.sigstore.json`, "application/vnd.dev.sigstore.bundle.v0.3+json", JSON.stringify(bundle))
            }
          >
            Download the bundle
          </button>
        )}
        <button
          type="button"
          class="button"
          onClick={() => saveFile(`${name}.json`, "application/json", pretty(entry))}
        >
          Download the entry and its proof
        </button>
        {bundle !== undefined && bundle !== null && <span class="small">{useOf(bundle)}</span>}
        {(bundle === undefined || bundle === null) && <span class="small">{whyNoBundle(entry)}</span>}
      </div>
      <Raw title="Entry (canonical JSON)" text={decodedJson(entry.body)} />
      {certificate !== undefined && <Raw title="Certificate (PEM)" text={encodePem("CERTIFICATE", certificate.der)} />}
      {attestationPayload !== undefined && <Raw title="Statement (JSON)" text={decodedJson(attestationPayload)} />}
      <Raw title="Checkpoint (signed note)" text={entry.checkpoint} />
    </Card>
  );
}

function useOf(bundle: unknown): string {
  const isOfEnvelope = typeof bundle === "object" && bundle !== null && "dsseEnvelope" in bundle;
  return isOfEnvelope
    ? "The bundle is for cosign verify-blob-attestation --bundle, with the file that it is about beside it."
    : "The bundle is for cosign verify-blob --bundle, with the signed file beside it.";
}

function whyNoBundle({ log, kind }: ProvenEntry): string {
  if (kind === "dsse") {
    return "No bundle can be made of this entry: the log keeps the statement's digest alone. The client's own has the statement.";
  }
  if (log === "rekor-v2") {
    return "No bundle can be made of this entry: the timestamp that it needs is in the client's own alone, which is the one to keep.";
  }
  return "No bundle can be made of this entry alone.";
}

function Raw({ title, text }: { readonly title: string; readonly text: string }) {
  const isCut = text.length > LONGEST_SHOWN;
  return (
    <details>
      <summary>{title}</summary>
      <Copy value={text} />
      <pre class="block" tabIndex={0}>
        {printableLines(isCut ? `${text.slice(0, LONGEST_SHOWN)}\n… cut here; the file has all of it` : text)}
      </pre>
    </details>
  );
}

function decodedJson(base64: string): string {
  try {
    const text = new TextDecoder().decode(decodeBase64(base64, "raw"));
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  } catch {
    return base64;
  }
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
