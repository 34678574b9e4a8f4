import { decodeBase64 } from "@chancery/encoding";
import { useMemo } from "preact/hooks";
import { parseStatement, type PredicateSummary, type Statement } from "../statement/attestation.ts";
import type { ListedEntry } from "../api/entries.ts";
import { predicateName } from "../statement/predicate-name.ts";
import { Card, Facts } from "./card.tsx";
import { Notice } from "./notice.tsx";
import { Hash, Linked, Text } from "./text.tsx";

const SUBJECTS_SHOWN = 50;

interface StatementProps {
  /** As it is, or in base64. */
  readonly payload: Uint8Array | string;
  /** Where all of it can be read. */
  readonly whole: string;
}

/** The statement in the envelope: about what, and what it says in plain words where this page knows its type. */
export function StatementCard({ payload, whole }: StatementProps) {
  const statement = useMemo(() => read(payload), [payload]);
  if (typeof statement === "string") {
    return (
      <Notice title="The statement is no JSON">
        <Text value={statement} />
      </Notice>
    );
  }
  return (
    <Card title={statement.summary?.title ?? "Statement"} note={<Linked value={statement.predicateType} />}>
      <Subjects subjects={statement.subjects} whole={whole} />
      {statement.summary === undefined ? (
        <p class="soft">Predicates of this type are not summarised here; {whole} has all of it.</p>
      ) : (
        <Summary summary={statement.summary} whole={whole} />
      )}
    </Card>
  );
}

interface ToldStatementProps {
  readonly attestation: NonNullable<ListedEntry["attestation"]>;
}

/** Where the log keeps the statement's digest alone: what the server noted of it when it took the entry. */
export function ToldStatementCard({ attestation: { predicateType, subjects = [] } }: ToldStatementProps) {
  const told = subjects.map(({ name = "", digests = [] }) => ({ name, digests }));
  return (
    <Card
      title={predicateType === undefined ? "Attestation" : `Attestation: ${predicateName(predicateType)}`}
      note={predicateType !== undefined && <Linked value={predicateType} />}
    >
      <p class="soft">
        By this server's word: the log holds the statement's digest, not the statement, so only its bundle can prove
        this.
      </p>
      <Subjects subjects={told} whole="the raw view" />
    </Card>
  );
}

function read(payload: Uint8Array | string): Statement | string {
  try {
    return parseStatement(typeof payload === "string" ? decodeBase64(payload, "attestation") : payload);
  } catch (error) {
    return error instanceof Error ? error.message : "it cannot be read";
  }
}

function Subjects({ subjects, whole }: { readonly subjects: Statement["subjects"]; readonly whole: string }) {
  if (subjects.length === 0) return <p class="soft">It names nothing that it is about.</p>;
  return (
    <div>
      <h3>{subjects.length === 1 ? "About" : `About ${subjects.length} things`}</h3>
      <ul class="subjects">
        {subjects.slice(0, SUBJECTS_SHOWN).map(({ name, digests }) => (
          <li>
            <Text value={name === "" ? "without a name" : name} />
            {digests.map((digest) => (
              <div key={digest}>
                <Hash value={digest} />
              </div>
            ))}
          </li>
        ))}
      </ul>
      {subjects.length > SUBJECTS_SHOWN && (
        <p class="small">
          and {subjects.length - SUBJECTS_SHOWN} more, in {whole}
        </p>
      )}
    </div>
  );
}

function Summary({ summary, whole }: { readonly summary: PredicateSummary; readonly whole: string }) {
  return (
    <>
      <Facts lines={summary.facts.map(([name, value]) => [name, <Linked value={value} />])} />
      {summary.lists.map(({ title, total, shown }) => (
        <details key={title}>
          <summary>
            {title} ({total})
          </summary>
          <ul class="subjects">
            {shown.map((line) => (
              <li>
                <Text value={line} />
              </li>
            ))}
          </ul>
          {total > shown.length && (
            <p class="small">
              and {total - shown.length} more, in {whole}
            </p>
          )}
        </details>
      ))}
    </>
  );
}
