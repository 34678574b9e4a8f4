import { decodeBase64 } from "@chancery/encoding";
import { useEffect, useMemo, useState } from "preact/hooks";
import { fetchEntry, type LogName, type ProvenEntry } from "../api/entries.ts";
import { AlarmBanner } from "../parts/alarm-banner.tsx";
import { Lead } from "../parts/card.tsx";
import { EntryCards, loggedTime } from "../parts/entry-cards.tsx";
import { entryTitle } from "../parts/entry-title.ts";
import { Answered, Notice, Waiting } from "../parts/notice.tsx";
import { ProofCard } from "../parts/proof-card.tsx";
import { RawCard } from "../parts/raw-card.tsx";
import { Verdict } from "../parts/step-list.tsx";
import { Text, Time } from "../parts/text.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { type Parties, useParties } from "../parts/use-parties.ts";
import { checkEntry, type CheckedEntry, type Expected, isTimeSigned } from "../proof/check-entry.ts";
import { loggedEntry } from "../proof/logged-entry.ts";
import { serversWord } from "../proof/trusted-keys.ts";
import { logPath } from "../route.ts";
import { parseStatement, type Statement } from "../statement/attestation.ts";
import { predicateName } from "../statement/predicate-name.ts";
import { grouped } from "../text/time.ts";

export function EntryPage({ log, id }: { readonly log: LogName; readonly id: string }) {
  const answer = useAnswer(`${log} ${id}`, (signal) => fetchEntry(log, id, signal));
  const parties = useParties();
  if (answer?.kind === "answered" && parties !== undefined) {
    return <Entry key={`${log} ${id}`} entry={answer.value} log={log} asked={id} parties={parties} />;
  }
  return (
    <>
      <Lead title={`Entry ${id}`} eyebrow={log} heading={<Text value={`Entry ${id}`} />} />
      <AlarmBanner />
      <Answered
        answer={answer?.kind === "answered" ? undefined : answer}
        waiting="Reading the entry"
        name="The API of entries"
      >
        {() => null}
      </Answered>
    </>
  );
}

interface EntryProps {
  readonly entry: ProvenEntry;
  readonly log: LogName;
  readonly asked: string;
  readonly parties: Parties;
}

function Entry({ entry, log, asked, parties }: EntryProps) {
  const checked = useCheck(entry, { log, asked }, parties);
  if (checked === undefined) return <Waiting what="Checking the proof" />;
  if ("unreadable" in checked) {
    return (
      <>
        <Lead title={`Entry ${asked}`} eyebrow={entry.log} heading={<Text value={`Entry ${asked}`} />} />
        <AlarmBanner />
        <Notice tone="bad" title="Do not believe this entry">
          The answer is not even an entry with a proof: <Text value={checked.unreadable} />
        </Notice>
      </>
    );
  }
  const { title, heading } = entryTitle(checked.body);
  return (
    <>
      <Lead
        title={title}
        heading={<Text value={heading} />}
        eyebrow={
          <>
            <a href={logPath(entry.log)}>{entry.log}</a> · entry {grouped(entry.logIndex)}
          </>
        }
      >
        <InShort entry={entry} checked={checked} />
      </Lead>
      <AlarmBanner />
      <Verdict steps={checked.steps} serversWord={serversWord(checked.logKey, checked.authority)} />
      <EntryCards entry={entry} checked={checked} />
      <ProofCard checked={checked} parties={parties} />
      <RawCard entry={entry} body={checked.body} />
    </>
  );
}

/** Who, what and when in one sentence. What it is about is told by the statement that was checked, if there is one. */
function InShort({ entry, checked: { body, steps } }: { readonly entry: ProvenEntry; readonly checked: CheckedEntry }) {
  const statement = useMemo(() => keptStatement(entry), [entry]);
  const told = entry.attestationPayload === undefined ? entry.attestation : undefined;
  const subject = statement?.subjects[0]?.name ?? told?.subjects?.[0]?.name;
  const type = statement?.predicateType ?? told?.predicateType;
  const time = loggedTime(entry);
  if (body === undefined) return null;
  return (
    <>
      signed{" "}
      {type === undefined ? (
        SIGNED[told === undefined ? body.signed : "attestation"]
      ) : (
        <>
          an attestation (<Text value={predicateName(type)} />)
          {subject !== undefined && subject !== "" && (
            <>
              {" "}
              about <Text value={subject} />
            </>
          )}
          {told !== undefined && ", by the server's word"}
        </>
      )}
      {time !== undefined && (
        <>
          , logged <Time value={time} />
          {!isTimeSigned(steps) && " by the server's word"}
        </>
      )}
      .
    </>
  );
}

/** The statement beside the entry, and not what the server says of it: that one is checked. */
function keptStatement({ attestationPayload }: ProvenEntry): Statement | undefined {
  if (attestationPayload === undefined) return undefined;
  try {
    return parseStatement(decodeBase64(attestationPayload, "attestation"));
  } catch {
    return undefined;
  }
}

const SIGNED = {
  // A v2 log takes what cosign 3 attests as the digest of its envelope: nothing in it tells it from a file.
  "artifact-digest": "a file, an image or an attestation",
  attestation: "an attestation",
  dsse: "a statement",
  other: "something",
} as const;

type Outcome = CheckedEntry | { readonly unreadable: string };

function useCheck(
  entry: ProvenEntry,
  address: Pick<Expected, "log" | "asked">,
  { effective }: Parties,
): Outcome | undefined {
  const [outcome, setOutcome] = useState<Outcome>();
  useEffect(() => {
    void (async () => {
      try {
        setOutcome(
          await checkEntry(loggedEntry(entry), effective, { ...address, kind: entry.kind, digests: entry.digests }),
        );
      } catch (error) {
        setOutcome({ unreadable: error instanceof Error ? error.message : "it cannot be read" });
      }
    })();
  }, [entry, effective]);
  return outcome;
}
