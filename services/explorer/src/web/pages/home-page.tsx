import type { Answer } from "../api/answer.ts";
import { fetchCanaryKeys } from "../api/audit.ts";
import { entriesOf, fetchLogs, type Log } from "../api/logs.ts";
import type { Found } from "../api/search.ts";
import { AlarmBanner } from "../parts/alarm-banner.tsx";
import { WithoutCanaries } from "../parts/canaries.tsx";
import { Card, Lead } from "../parts/card.tsx";
import { CompleteTo } from "../parts/completeness.tsx";
import { EntryRows } from "../parts/entry-row.tsx";
import { Answered } from "../parts/notice.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { Text } from "../parts/text.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { isCanary, newestEntries } from "../query/newest-entries.ts";
import { logPath } from "../route.ts";
import { grouped } from "../text/time.ts";
import { DevelopmentWarning } from "./sign-page.tsx";

const SHOWN = 8;

export function HomePage() {
  const newest = useAnswer("newest", newestOfOthers);
  const logs = useAnswer("logs", fetchLogs);
  return (
    <>
      <div class="hero">
        <Lead title="Who signed what, and when">
          Every signature and every certificate of this Sigstore is in a log that can only grow. Look one up; your
          browser checks the proof itself.
        </Lead>
        <SearchBox autofocus />
      </div>
      <AlarmBanner />
      <DevelopmentWarning />
      {logs?.kind === "answered" && <Sizes logs={logs.value} />}
      <Card title="Newest entries" note={<a href="/search">All entries</a>}>
        <Answered answer={newest} waiting="Reading the newest entries" name="Search">
          {({ found, canaries }) => <Newest found={found} canaries={canaries} />}
        </Answered>
      </Card>
    </>
  );
}

interface NewestProps {
  readonly found: Found;
  readonly canaries: ReadonlySet<string>;
}

async function newestOfOthers(signal: AbortSignal): Promise<Answer<NewestProps>> {
  const canaries = await fetchCanaryKeys();
  const answer = await newestEntries(SHOWN, (entry) => !isCanary(entry, canaries), signal);
  return answer.kind === "answered" ? { kind: "answered", value: { found: answer.value, canaries } } : answer;
}

function Newest({ found, canaries }: NewestProps) {
  const { results, cursor } = found;
  if (results.length === 0) {
    return (
      <>
        <p class="soft">
          Nothing has been signed yet. <a href="/sign">How to sign here</a>
        </p>
        <CompleteTo found={found} shown={0} />
      </>
    );
  }
  return (
    <WithoutCanaries entries={results} keys={canaries} hidden>
      {(entries) => {
        const shown = entries.slice(0, SHOWN);
        const isWhole = cursor === undefined && shown.length === results.length;
        return (
          <>
            {shown.length === 0 && <p class="soft">Of the newest {grouped(results.length)} all are the auditor's.</p>}
            <EntryRows entries={shown} />
            {isWhole ? (
              <CompleteTo found={found} shown={shown.length} />
            ) : cursor === undefined && shown.length === entries.length ? (
              <p class="small" data-partial>
                Beside the auditor's these are all: <a href="/search">search</a> says up to which trees.
              </p>
            ) : (
              <p class="small" data-partial>
                These are the newest {shown.length}, not all: <a href="/search">look further</a> for the others.
              </p>
            )}
          </>
        );
      }}
    </WithoutCanaries>
  );
}

function Sizes({ logs }: { readonly logs: readonly Log[] }) {
  return (
    <dl class="figures card">
      {logs.map((one) => (
        <div key={one.log}>
          <dt>
            <a href={logPath(one.log)}>
              <Text value={one.log} />
            </a>
          </dt>
          <dd>
            {grouped(entriesOf(one))}
            <small>
              {one.log.startsWith("ctlog") ? "certificate" : "signature"}
              {entriesOf(one) !== 1n && "s"}
            </small>
          </dd>
        </div>
      ))}
    </dl>
  );
}
