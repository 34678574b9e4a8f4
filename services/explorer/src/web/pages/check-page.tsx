import { useEffect, useState } from "preact/hooks";
import { fetchEntry } from "../api/entries.ts";
import { Card, Lead } from "../parts/card.tsx";
import { CertificateFacts } from "../parts/certificate-facts.tsx";
import { DropZone } from "../parts/drop-zone.tsx";
import { type DroppedBundle, takeDroppedBundle } from "../parts/dropped-file.ts";
import { entryTitle } from "../parts/entry-title.ts";
import { Notice, Waiting } from "../parts/notice.tsx";
import { StatementCard } from "../parts/statement-card.tsx";
import { StepList, Verdict } from "../parts/step-list.tsx";
import { Hash, Text } from "../parts/text.tsx";
import { useParties } from "../parts/use-parties.ts";
import { type BundleContent, parseBundle } from "../proof/bundle.ts";
import { type CheckedBundle, checkBundle } from "../proof/check-bundle.ts";
import { loggedEntry } from "../proof/logged-entry.ts";
import { hashFile } from "../proof/hash-file.ts";
import { type OldBundle, parseOldBundle } from "../proof/old-bundle.ts";
import { serversWord, type TrustedParties } from "../proof/trusted-keys.ts";
import type { Digest } from "../statement/entry-body.ts";

/** A bundle, and the file it is of, checked without asking anyone: neither leaves this browser. */
export function CheckPage() {
  const [bundle, setBundle] = useState<DroppedBundle | undefined>(takeDroppedBundle);
  const parties = useParties();
  return (
    <>
      <Lead title="Check a bundle">
        A bundle carries its own proof. It is checked here, in your browser, against the keys you trust; it is sent
        nowhere. Whether its signer is the one you expect is yours to judge.
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
  | { readonly old: OldBundle }
  | { readonly content: BundleContent; readonly checked: CheckedBundle; readonly isOld: boolean }
  | { readonly wrong: string };

function Bundle({ bundle, parties }: { readonly bundle: DroppedBundle; readonly parties: TrustedParties }) {
  const [outcome, setOutcome] = useState<Outcome>();
  useEffect(() => {
    void check(bundle.text, parties).then(setOutcome);
  }, [bundle, parties]);
  if (outcome === undefined) return <Waiting what="Checking the bundle" />;
  if ("old" in outcome) return <OldBundleNotice old={outcome.old} />;
  if ("wrong" in outcome) {
    return (
      <Notice tone="bad" title="This bundle cannot be checked">
        <Text value={outcome.wrong} />
      </Notice>
    );
  }
  const { content, checked, isOld } = outcome;
  const { entries, steps, authority, signedDigests, signedStatement } = checked;
  const [first] = entries;
  return (
    <>
      <Verdict
        steps={[...entries.flatMap((entry) => entry.steps), ...steps]}
        serversWord={serversWord(first?.logKey, authority)}
        what="bundle"
      />
      <Card title="The bundle" note={<Text value={bundle.name} />}>
        {isOld && (
          <p class="soft small">
            It is of cosign's older format, which has no proof that the entry is in the log. This server was asked for
            one by the entry's hash, and it is checked below like all else.
          </p>
        )}
        <StepList steps={steps} />
      </Card>
      {entries.map((entry, index) => (
        <Card key={index} title="Its log entry" note={<Text value={entryTitle(entry.body).heading} />}>
          <StepList steps={entry.steps} />
        </Card>
      ))}
      {content.certificate !== undefined && <CertificateFacts certificate={content.certificate} checked />}
      {signedStatement !== undefined && <StatementCard payload={signedStatement} whole="the bundle itself" />}
      {signedDigests.length > 0 && <Artifact digests={signedDigests} isStatement={content.envelope !== undefined} />}
    </>
  );
}

function OldBundleNotice({ old: { logIndex, isOfEntry } }: { readonly old: OldBundle }) {
  if (!isOfEntry) {
    return (
      <Notice tone="bad" title="Do not believe this bundle">
        It is of cosign's older format, and the log entry in it is of another signature, or of another signer.
      </Notice>
    );
  }
  return (
    <Notice tone="warn" title="This is a bundle of cosign's older format">
      It has a log's promise and no proof that the entry is in the log, and this server, which was asked for one by the
      entry's hash, gives none{logIndex !== undefined && ` (index ${logIndex} in that log)`}. So it was not checked to
      the end: it may be of a log elsewhere.
    </Notice>
  );
}

async function check(text: string, parties: TrustedParties): Promise<Outcome> {
  try {
    const old = parseOldBundle(text);
    if (old === undefined) {
      const content = parseBundle(text);
      return { content, checked: await checkBundle(content, parties), isOld: false };
    }
    const content = await provenContent(old);
    return content === undefined ? { old } : { content, checked: await checkBundle(content, parties), isOld: true };
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : "it cannot be read" };
  }
}

/** The log's proof is asked for by the entry's hash; nothing else of the bundle leaves this browser. */
async function provenContent(old: OldBundle): Promise<BundleContent | undefined> {
  const answer = old.isOfEntry ? await fetchEntry("rekor", old.leafHash) : undefined;
  return answer?.kind === "answered" ? old.withProof(loggedEntry(answer.value)) : undefined;
}

type FileState = "hashing" | "same" | "other" | "unreadable";

interface ArtifactProps {
  readonly digests: readonly Digest[];
  readonly isStatement: boolean;
}

/** Whether this is the file: only its digest by SHA-256 can be compared here. */
function Artifact({ digests, isStatement }: ArtifactProps) {
  const [state, setState] = useState<FileState>();
  const known = digests.filter(({ algorithm }) => algorithm === "sha256").map(({ hex }) => hex);
  if (known.length === 0) return null;
  const compare = (file: File) => {
    setState("hashing");
    hashFile(file, () => {}).then(
      (hex) => setState(known.includes(hex) ? "same" : "other"),
      () => setState("unreadable"),
    );
  };
  return (
    <Card title="Is it this file?">
      <p class="soft">
        {isStatement ? "The statement is about what has the digest " : "The entry is of a file with the digest "}
        <Hash value={`sha256:${known[0] ?? ""}`} />
        {known.length > 1 && ` and ${known.length - 1} more`}
      </p>
      <FileField label={isStatement ? "The file it is about" : "The signed file"} onFile={compare} />
      {state === "hashing" && <Waiting what="Hashing" />}
      {state === "same" && (
        <Notice
          tone="good"
          title={isStatement ? "Yes: the statement is about this file" : "Yes: this is the signed file"}
        />
      )}
      {state === "other" && <Notice tone="bad" title="No: this is another file, or it was changed" />}
      {state === "unreadable" && <Notice tone="bad" title="The file could not be read" />}
    </Card>
  );
}
