import type { ProvenEntry } from "../api/entries.ts";
import { type CheckedEntry, isTimeSigned } from "../proof/check-entry.ts";
import { fingerprint } from "../proof/public-key.ts";
import type { EntryBody } from "../statement/entry-body.ts";
import { grouped } from "../text/time.ts";
import { Card, Facts } from "./card.tsx";
import { CertificateFacts } from "./certificate-facts.tsx";
import { signerCertificate } from "./entry-title.ts";
import { StatementCard, ToldStatementCard } from "./statement-card.tsx";
import { Hash, Text, Time } from "./text.tsx";

interface EntryCardsProps {
  readonly entry: ProvenEntry;
  readonly checked: CheckedEntry;
}

/** What was signed, by whom, and what the statement says: read from the bytes that were checked. */
export function EntryCards({ entry, checked: { body, steps } }: EntryCardsProps) {
  if (body === undefined) return null;
  const certificate = signerCertificate(body);
  const { attestation, attestationPayload } = entry;
  const own = body.digests.map(({ algorithm, hex }) => `${algorithm}:${hex}`);
  const others = entry.digests.filter((digest) => !own.includes(digest));
  return (
    <>
      <Card title="What was signed" note={`${body.kind} ${body.apiVersion}`}>
        <Facts
          lines={[
            [
              "In short",
              attestation !== undefined && body.signed === "artifact-digest" ? ATTESTED : SHORT[body.signed],
            ],
            ...own.map((digest) => ["Digest", <Hash value={digest} />] as const),
            others.length === 0 ? undefined : ["Found by as well", <OtherDigests digests={others} />],
            ["Logged", <LoggedAt entry={entry} isSigned={isTimeSigned(steps)} />],
            ["Place", `${grouped(entry.logIndex)} of ${entry.log}`],
            ["Entry ID", <Hash value={entry.entryId} />],
          ]}
        />
      </Card>
      {certificate === undefined ? <BareKeys body={body} /> : <CertificateFacts certificate={certificate} checked />}
      {attestationPayload !== undefined && <StatementCard payload={attestationPayload} whole="the raw view below" />}
      {attestationPayload === undefined && attestation !== undefined && <ToldStatementCard attestation={attestation} />}
    </>
  );
}

const MOST_DIGESTS = 20;

/** The body does not name them; the server noted them when it took the entry. */
function OtherDigests({ digests }: { readonly digests: readonly string[] }) {
  return (
    <>
      {digests.slice(0, MOST_DIGESTS).map((digest) => (
        <div key={digest}>
          <Hash value={digest} />
        </div>
      ))}
      <span class="small">
        {digests.length > MOST_DIGESTS && `and ${digests.length - MOST_DIGESTS} more, `}by the server's word
      </span>
    </>
  );
}

const ATTESTED = "An attestation, by the digest of what was signed. The log holds the digest, not the statement.";

const SHORT: Readonly<Record<EntryBody["signed"], string>> = {
  "artifact-digest": "A file, an image or a statement, by its digest. The log holds the digest, not the thing itself.",
  dsse: "A statement about something, in an envelope (DSSE).",
  other: "This page does not read the inside of this kind; the raw view below has all of it.",
};

function LoggedAt({ entry, isSigned }: { readonly entry: ProvenEntry; readonly isSigned: boolean }) {
  const time = loggedTime(entry);
  if (time === undefined) return <>This log tells no time; a timestamp travels with the bundle.</>;
  if (isSigned) return <Time value={time} />;
  return (
    <>
      <Time value={time} /> <span class="small">by the server's word: no signature of this log covers it</span>
    </>
  );
}

/** What the promise is over, where there is one, else what the server says. */
export function loggedTime({ integratedTime, time }: ProvenEntry): number | string | undefined {
  return integratedTime === undefined ? time : integratedTime * 1000;
}

function BareKeys({ body }: { readonly body: EntryBody }) {
  const keys = body.signatures.flatMap(({ key }) => (key === undefined ? [] : [key]));
  if (keys.length === 0) return null;
  return (
    <Card title="Who signed it">
      <p class="soft">Whoever holds this key: there is no certificate that names anyone.</p>
      <Facts
        lines={keys.flatMap((key) => [
          ["Key", <Text value={key.algorithm} />] as const,
          ["SHA-256", <Hash value={fingerprint(key).toHex()} />] as const,
        ])}
      />
      <p class="soft">
        <a href={`/search?q=${encodeURIComponent(`key:${keys[0] === undefined ? "" : fingerprint(keys[0]).toHex()}`)}`}>
          Everything this key signed
        </a>
      </p>
    </Card>
  );
}
