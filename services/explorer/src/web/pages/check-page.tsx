import { useEffect, useState } from "preact/hooks";
import { Card, Lead } from "../parts/card.tsx";
import { CertificateFacts } from "../parts/certificate-facts.tsx";
import { DropZone } from "../parts/drop-zone.tsx";
import { type DroppedBundle, takeDroppedBundle } from "../parts/dropped-file.ts";
import { entryTitle, signerCertificate } from "../parts/entry-title.ts";
import { Notice, Waiting } from "../parts/notice.tsx";
import { StepList, Verdict } from "../parts/step-list.tsx";
import { Hash, Text } from "../parts/text.tsx";
import { useParties } from "../parts/use-parties.ts";
import { checkEntry, type CheckedEntry } from "../proof/check-entry.ts";
import { hashFile } from "../proof/hash-file.ts";
import { type BundleContent, parseBundle } from "../proof/logged-entry.ts";
import { serversWord, type TrustedParties } from "../proof/trusted-keys.ts";

/** A bundle, and the file it is of, checked without asking anyone: neither leaves this browser. */
export function CheckPage() {
  const [bundle, setBundle] = useState<DroppedBundle | undefined>(takeDroppedBundle);
  const parties = useParties();
  return (
    <>
      <Lead title="Check a bundle">
        A bundle carries its own proof. It is checked here, in your browser, against the keys you trust; it is sent
        nowhere.
      </Lead>
      <FileField
        label="Bundle (.sigstore.json)"
        onFile={(file) => void file.text().then((text) => setBundle({ name: file.name, text }))}
      />
      {bundle !== undefined && parties === undefined && <Waiting what="Reading the trusted root" />}
      {bundle !== undefined && parties !== undefined && (
        <Bundle key={bundle.text} bundle={bundle} parties={parties.effective} />
      )}
    </>
  );
}

function FileField({ label, onFile }: { readonly label: string; readonly onFile: (file: File) => void }) {
  const choose = (event: Event & { readonly currentTarget: HTMLInputElement }) => {
    const file = event.currentTarget.files?.[0];
    if (file !== undefined) onFile(file);
  };
  return (
    <DropZone class="card" onFile={onFile}>
      <label class="field">
        {label}, chosen or dropped here
        <input type="file" onChange={choose} />
      </label>
    </DropZone>
  );
}

type Outcome =
  | { readonly content: BundleContent; readonly checked: readonly CheckedEntry[] }
  | { readonly wrong: string };

function Bundle({ bundle, parties }: { readonly bundle: DroppedBundle; readonly parties: TrustedParties }) {
  const [outcome, setOutcome] = useState<Outcome>();
  useEffect(() => {
    void checkBundle(bundle.text, parties).then(setOutcome);
  }, [bundle, parties]);
  if (outcome === undefined) return <Waiting what="Checking the bundle" />;
  if ("wrong" in outcome) {
    return (
      <Notice tone="bad" title="This bundle cannot be checked">
        <Text value={outcome.wrong} />
      </Notice>
    );
  }
  const { content, checked } = outcome;
  return (
    <>
      {checked.length === 0 && (
        <Notice tone="warn" title="It has no log entry">
          Without one there is no proof that the signature was ever logged.
        </Notice>
      )}
      {checked.map((one, index) => (
        <Entry key={index} checked={one} name={bundle.name} />
      ))}
      {content.digest !== undefined && <Artifact digest={content.digest} />}
    </>
  );
}

async function checkBundle(text: string, parties: TrustedParties): Promise<Outcome> {
  try {
    const content = parseBundle(text);
    return { content, checked: await Promise.all(content.entries.map((entry) => checkEntry(entry, parties))) };
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : "it cannot be read" };
  }
}

function Entry({ checked, name }: { readonly checked: CheckedEntry; readonly name: string }) {
  const certificate = signerCertificate(checked.body);
  return (
    <>
      <Verdict steps={checked.steps} serversWord={serversWord(checked.logKey, checked.authority)} />
      <Card title={entryTitle(checked.body).heading} note={<Text value={name} />}>
        <StepList steps={checked.steps} />
      </Card>
      {certificate !== undefined && <CertificateFacts certificate={certificate} />}
    </>
  );
}

type FileState = "hashing" | "same" | "other" | "unreadable";

/** Whether this is the file: only its digest by SHA-256 can be compared here. */
function Artifact({ digest }: { readonly digest: { readonly algorithm: string; readonly hex: string } }) {
  const [state, setState] = useState<FileState>();
  if (digest.algorithm !== "SHA2_256") return null;
  const compare = (file: File) => {
    setState("hashing");
    hashFile(file, () => {}).then(
      (hex) => setState(hex === digest.hex ? "same" : "other"),
      () => setState("unreadable"),
    );
  };
  return (
    <Card title="Is it this file?">
      <p class="soft">
        The bundle is of a file with the digest <Hash value={`sha256:${digest.hex}`} />
      </p>
      <FileField label="The signed file" onFile={compare} />
      {state === "hashing" && <Waiting what="Hashing" />}
      {state === "same" && <Notice tone="good" title="Yes: this is the signed file" />}
      {state === "other" && <Notice tone="bad" title="No: this is another file, or it was changed" />}
      {state === "unreadable" && <Notice tone="bad" title="The file could not be read" />}
    </Card>
  );
}
