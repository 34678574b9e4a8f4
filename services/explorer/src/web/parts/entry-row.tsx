import type { ListedEntry } from "../api/entries.ts";
import { entryPath } from "../route.ts";
import { ago, grouped, utcTime } from "../text/time.ts";
import { predicateName } from "../statement/predicate-name.ts";
import { Text } from "./text.tsx";

/** Who signed it, as one would say it. */
export function signerName({ signers }: Pick<ListedEntry, "signers">): string {
  for (const { certificate, keyFingerprint } of signers) {
    const [san] = certificate?.sans ?? [];
    if (san !== undefined) return san.value;
    if (keyFingerprint !== undefined) return `key ${keyFingerprint.slice(0, 16)}`;
  }
  return "signer not named";
}

export function EntryRows({ entries }: { readonly entries: readonly ListedEntry[] }) {
  return (
    <ul class="rows">
      {entries.map((entry) => (
        <li key={`${entry.log} ${entry.logIndex}`} class="found">
          <span>
            <a class="who" href={entryPath(entry.log, entry.entryId)}>
              <Text value={signerName(entry)} />
            </a>{" "}
            <VouchedFor entry={entry} />
          </span>
          <span class="when" title={entry.time === undefined ? "" : utcTime(entry.time)}>
            {entry.time === undefined ? "no time in the log" : ago(entry.time, Date.now())}
          </span>
          <span class="what">
            <Description entry={entry} />
          </span>
          <span class="where">
            {entry.log} · {grouped(entry.logIndex)}
          </span>
        </li>
      ))}
    </ul>
  );
}

function VouchedFor({ entry }: { readonly entry: ListedEntry }) {
  const issuer = entry.signers[0]?.certificate?.issuer;
  if (issuer === undefined) return null;
  return (
    <span class="small">
      by the word of <Text value={issuer} />
    </span>
  );
}

function Description({ entry }: { readonly entry: ListedEntry }) {
  const subject = entry.attestation?.subjects?.[0];
  const digest = entry.digests[0];
  const type = entry.attestation?.predicateType;
  return (
    <>
      <span class="badge">
        <Text value={entry.kind} />
      </span>
      {type !== undefined && (
        <span>
          <Text value={predicateName(type)} />
          {subject?.name !== undefined && subject.name !== "" && (
            <>
              {" "}
              about <Text value={subject.name} />
            </>
          )}
        </span>
      )}
      {digest !== undefined && (
        <span class="hash">
          <Text value={shortDigest(digest)} />
        </span>
      )}
    </>
  );
}

function shortDigest(digest: string): string {
  return digest.length > 30 ? `${digest.slice(0, 27)}…` : digest;
}
