import { useEffect, useState } from "preact/hooks";
import type { Answer } from "../api/answer.ts";
import { type Found, search as searchLogs } from "../api/search.ts";
import { AlarmBanner } from "../parts/alarm-banner.tsx";
import { useCanaryKeys, WithoutCanaries } from "../parts/canaries.tsx";
import { Card, Lead } from "../parts/card.tsx";
import { CompleteTo } from "../parts/completeness.tsx";
import { EntryRows } from "../parts/entry-row.tsx";
import { FilterForm } from "../parts/filter-form.tsx";
import { Answered, Notice, Waiting } from "../parts/notice.tsx";
import { SaveResults } from "../parts/save-results.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { Text } from "../parts/text.tsx";
import { type Hit, lookUp, type Outcome } from "../query/look-up.ts";
import type { SearchAddress } from "../query/search-address.ts";
import type { Filters, Reading } from "../query/reading.ts";
import { understand } from "../query/understand.ts";
import { certificatePath, entryPath, identityPath, useNavigation } from "../route.ts";

export function SearchPage({ search }: { readonly search: SearchAddress }) {
  const { reading, others } = understand(search.text, location.host);
  const all = [reading, ...others];
  const chosen = all[search.meaning] ?? reading;
  // Whoever chose one meaning wants that one.
  const meanings = search.meaning === 0 ? all.filter(({ onlyIfChosen }) => onlyIfChosen !== true) : [chosen];
  return (
    <>
      <Lead title={search.text === "" ? "Search" : `Search: ${search.text}`} heading="Search" />
      <SearchBox search={search} key={search.text} />
      <FilterForm search={search} />
      <AlarmBanner />
      <Looked key={JSON.stringify([meanings, search])} meanings={meanings} search={search} />
    </>
  );
}

interface LookedProps {
  readonly meanings: readonly Reading[];
  readonly search: SearchAddress;
}

function Looked({ meanings, search }: LookedProps) {
  const { go } = useNavigation();
  const [outcome, setOutcome] = useState<Outcome>();
  useEffect(() => {
    const stop = new AbortController();
    lookUp(meanings, search, stop.signal).then(setOutcome, () => {});
    return () => stop.abort();
  }, []);
  const hit = outcome?.hit;
  const [single] = hit?.kind === "entries" && hit.entries.length === 1 ? hit.entries : [];
  useEffect(() => {
    if (hit?.kind === "entries" && single !== undefined) go(entryPath(single.log, hit.id), { replace: true });
    if (hit?.kind === "page") go(hit.path, { replace: true });
    if (hit?.kind === "certificate") go(certificatePath(hit.certificate.serial), { replace: true });
  }, [outcome]);
  if (outcome === undefined) return <Waiting what="Searching" />;
  const { tried, trouble } = outcome;
  const [first] = meanings;
  if (trouble !== undefined) {
    return (
      <Answered answer={trouble} waiting="" name="Search">
        {() => null}
      </Answered>
    );
  }
  return (
    <>
      {first?.goal.kind === "hint" && (
        <Notice tone="warn" title={`This is ${first.what}`}>
          {first.goal.words}
        </Notice>
      )}
      <Tried tried={tried} hit={hit} filtered={Object.keys(search.filters).length > 0} />
      {hit?.kind === "list" && <FoundEntries hit={hit} order={search.order} />}
      {hit?.kind === "entries" && hit.entries.length > 1 && (
        <Card title="In both logs">
          <EntryRows entries={hit.entries} />
        </Card>
      )}
      {hit === undefined && first?.goal.kind !== "hint" && (
        <Notice title="There is no such thing here">No log has such an entry.</Notice>
      )}
    </>
  );
}

/** Which meanings found nothing, and which one did: said, so that nobody takes the one for the other. */
function Tried({ tried, hit, filtered }: Pick<Outcome, "tried" | "hit"> & { readonly filtered: boolean }) {
  const asked = tried.filter(({ goal }) => goal.kind !== "hint").map(({ what }) => what);
  const isFound = hit !== undefined && !tried.includes(hit.meaning);
  if (asked.length === 0 || (asked.length === 1 && !isFound)) return null;
  return (
    <p class="soft" data-tried>
      {filtered ? "With these filters nothing" : "Nothing"} is found as <Text value={asked.join(", as ")} />.{" "}
      {isFound && (
        <>
          Found as{" "}
          <strong>
            <Text value={hit.meaning.what} />
          </strong>
          .
        </>
      )}
    </p>
  );
}

interface FoundEntriesProps {
  readonly hit: Extract<Hit, { readonly kind: "list" }>;
  readonly order: "newest" | "oldest";
}

function FoundEntries({ hit: { found: first, filters, meaning }, order }: FoundEntriesProps) {
  const canaries = useCanaryKeys();
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
  if (entries.length === 0 && isLast) return <NothingFound found={last} misses={meaning.misses} />;
  const title = entries.length === 1 && isLast ? "One entry" : `${entries.length} entries${isLast ? "" : " so far"}`;
  return (
    <Card title={title} note={entries.length > 0 && <SaveResults entries={entries} isWhole={isLast} />}>
      <IdentityHint filters={filters} />
      <WithoutCanaries entries={entries} keys={canaries}>
        {(shown) => <EntryRows entries={shown} />}
      </WithoutCanaries>
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
      <CompleteTo found={last} order={order} shown={entries.length} />
      <Misses words={meaning.misses} />
    </Card>
  );
}

function NothingFound({ found, misses }: { readonly found: Found; readonly misses: string | undefined }) {
  return (
    <Card title="Nothing found">
      <p class="soft">No entry in the logs fits.</p>
      <CompleteTo found={found} shown={0} />
      <Misses words={misses} />
    </Card>
  );
}

function Misses({ words }: { readonly words: string | undefined }) {
  return words === undefined ? null : <p class="small">{words}</p>;
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
