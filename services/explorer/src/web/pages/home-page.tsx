import { fetchLogs, type Log } from "../api/logs.ts";
import { search } from "../api/search.ts";
import { Card, Lead } from "../parts/card.tsx";
import { CompleteTo } from "../parts/completeness.tsx";
import { EntryRows } from "../parts/entry-row.tsx";
import { Answered } from "../parts/notice.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { Text } from "../parts/text.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { logPath } from "../route.ts";
import { grouped } from "../text/time.ts";
import { DevelopmentWarning } from "./sign-page.tsx";

export function HomePage() {
  const newest = useAnswer("newest", (signal) => search({ filters: {}, limit: 8 }, signal));
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
      <DevelopmentWarning />
      {logs?.kind === "answered" && <Sizes logs={logs.value} />}
      <Card title="Newest entries" note={<a href="/search">All entries</a>}>
        <Answered answer={newest} waiting="Reading the newest entries" name="Search">
          {(found) =>
            found.results.length === 0 ? (
              <>
                <p class="soft">
                  Nothing has been signed yet. <a href="/sign">How to sign here</a>
                </p>
                <CompleteTo found={found} />
              </>
            ) : (
              <>
                <EntryRows entries={found.results} />
                <CompleteTo found={found} />
              </>
            )
          }
        </Answered>
      </Card>
    </>
  );
}

function Sizes({ logs }: { readonly logs: readonly Log[] }) {
  return (
    <dl class="figures card">
      {logs.map(({ log, size }) => (
        <div key={log}>
          <dt>
            <a href={logPath(log)}>
              <Text value={log} />
            </a>
          </dt>
          <dd>
            {grouped(size)}
            <small>{log.startsWith("ctlog") ? "certificates" : "signatures"}</small>
          </dd>
        </div>
      ))}
    </dl>
  );
}
