import { useEffect, useState } from "preact/hooks";
import { fetchEntry, LOG_NAMES, type ListedEntry, type LogName } from "../api/entries.ts";
import { type Found, search as searchLogs } from "../api/search.ts";
import type { Answer } from "../api/answer.ts";
import { Card, Lead } from "../parts/card.tsx";
import { CompleteTo } from "../parts/completeness.tsx";
import { EntryRows } from "../parts/entry-row.tsx";
import { FilterForm } from "../parts/filter-form.tsx";
import { Answered, Notice, Waiting } from "../parts/notice.tsx";
import { SaveResults } from "../parts/save-results.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { apiTimes, joinFilters, type SearchAddress } from "../query/search-address.ts";
import { type Filters, type Reading, understand } from "../query/understand.ts";
import { entryPath, identityPath, useNavigation } from "../route.ts";

export function SearchPage({ search }: { readonly search: SearchAddress }) {
  const { reading, others } = understand(search.text);
  const meaning = [reading, ...others][search.meaning] ?? reading;
  return (
    <>
      <Lead title={search.text === "" ? "Search" : `Search: ${search.text}`} heading="Search" />
      <SearchBox search={search} key={search.text} />
      <FilterForm search={search} />
      <Outcome meaning={meaning} search={search} />
    </>
  );
}

function Outcome({ meaning, search }: { readonly meaning: Reading; readonly search: SearchAddress }) {
  const { goal } = meaning;
  if (goal.kind === "hint") {
    return (
      <Notice tone="warn" title={`This is ${meaning.what}`}>
        {goal.words}
      </Notice>
    );
  }
  if (goal.kind === "entry") return <OneEntry id={goal.id} log={goal.log} />;
  const filters = apiTimes(joinFilters(goal.filters, search.filters));
  return <Results key={JSON.stringify(filters)} filters={filters} order={search.order} />;
}

/** An index or an ID without its log is looked for in both. */
function OneEntry({ id, log }: { readonly id: string; readonly log: LogName | undefined }) {
  const { go } = useNavigation();
  const logs = log === undefined ? LOG_NAMES : [log];
  const [answers, setAnswers] = useState<readonly Answer<ListedEntry>[]>();
  useEffect(() => {
    const stop = new AbortController();
    Promise.all(logs.map((name) => fetchEntry(name, id, stop.signal))).then(setAnswers, () => {});
    return () => stop.abort();
  }, [id, log]);
  const found = answers?.flatMap((answer) => (answer.kind === "answered" ? [answer.value] : [])) ?? [];
  const [single] = found;
  useEffect(() => {
    if (found.length === 1 && single !== undefined) go(entryPath(single.log, id), { replace: true });
  }, [answers]);
  if (answers === undefined) return <Waiting what="Looking for the entry" />;
  if (found.length > 0) {
    return (
      <Card title="In both logs">
        <EntryRows entries={found} />
      </Card>
    );
  }
  const trouble = answers.find(({ kind }) => kind !== "unknown" && kind !== "refused") ?? answers[0];
  return (
    <Answered answer={trouble} waiting="" name="The API of entries">
      {() => null}
    </Answered>
  );
}

interface ResultsProps {
  readonly filters: Filters;
  readonly order: "newest" | "oldest";
}

function Results({ filters, order }: ResultsProps) {
  const first = useAnswer(order, (signal) => searchLogs({ filters, order }, signal));
  return (
    <Answered answer={first} waiting="Searching" name="Search">
      {(found) => <FoundEntries first={found} filters={filters} order={order} />}
    </Answered>
  );
}

function FoundEntries({ first, filters, order }: ResultsProps & { readonly first: Found }) {
  const [pages, setPages] = useState<readonly Found[]>([first]);
  const [trouble, setTrouble] = useState<Answer<Found>>();
  const entries = pages.flatMap(({ results }) => results);
  const last = pages.at(-1) ?? first;
  const more = () => {
    void searchLogs({ filters, order, cursor: last.cursor }).then((answer) => {
      if (answer.kind === "answered") setPages([...pages, answer.value]);
      else setTrouble(answer);
    });
  };
  // A page may be empty and not the last: one request looks at so many entries and no more.
  const isLast = last.cursor === undefined;
  if (entries.length === 0 && isLast) return <NothingFound found={last} />;
  const title = entries.length === 1 && isLast ? "One entry" : `${entries.length} entries${isLast ? "" : " so far"}`;
  return (
    <Card title={title} note={entries.length > 0 && <SaveResults entries={entries} />}>
      <IdentityHint filters={filters} />
      <EntryRows entries={entries} />
      {trouble !== undefined && (
        <Answered answer={trouble} waiting="" name="Search">
          {() => null}
        </Answered>
      )}
      {!isLast && (
        <div class="actions">
          <button type="button" class="button" onClick={more}>
            Look further
          </button>
        </div>
      )}
      <CompleteTo found={last} />
    </Card>
  );
}

function NothingFound({ found }: { readonly found: Found }) {
  return (
    <Card title="Nothing found">
      <p class="soft">No entry in the logs fits.</p>
      <CompleteTo found={found} />
    </Card>
  );
}

function IdentityHint({ filters }: { readonly filters: Filters }) {
  const [san, ...more] = filters["san"] ?? [];
  if (san === undefined || more.length > 0) return null;
  return (
    <p class="soft">
      <a href={identityPath(san)}>Everything this identity ever signed</a>, with its activity over time.
    </p>
  );
}
