import { fetchIdentity, type Identity, search } from "../api/search.ts";
import { AlarmBanner } from "../parts/alarm-banner.tsx";
import { Card, Lead } from "../parts/card.tsx";
import { BarChart, type ChartPoint } from "../parts/charts.tsx";
import { CompleteTo } from "../parts/completeness.tsx";
import { EntryRows } from "../parts/entry-row.tsx";
import { Answered, Notice } from "../parts/notice.tsx";
import { Linked, Text, Time } from "../parts/text.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { NO_SEARCH, writeSearchAddress } from "../query/search-address.ts";
import { grouped, utcDay } from "../text/time.ts";

interface IdentityPageProps {
  readonly san: string;
  readonly issuer: string | undefined;
}

export function IdentityPage({ san, issuer }: IdentityPageProps) {
  const key = JSON.stringify([san, issuer]);
  const identity = useAnswer(key, (signal) => fetchIdentity(san, issuer, signal));
  const filters = { san: [san], ...(issuer === undefined ? {} : { issuer: [issuer] }) };
  const entries = useAnswer(`entries ${key}`, (signal) => search({ filters, limit: 20 }, signal));
  return (
    <>
      <Lead title={san} heading={<Text value={san} />} eyebrow="Identity">
        Everything this name ever signed here
        {issuer !== undefined && (
          <>
            , as <Linked value={issuer} /> vouched for it
          </>
        )}
        .
      </Lead>
      <AlarmBanner />
      <Answered answer={identity} waiting="Reading the log" name="The API of identities">
        {(found) => <Activity identity={found} />}
      </Answered>
      <Card
        title="Its newest entries"
        note={<a href={writeSearchAddress({ ...NO_SEARCH, filters })}>Search among all of them</a>}
      >
        <Answered answer={entries} waiting="Searching" name="Search">
          {(found) => (
            <>
              {found.results.length === 0 ? <p class="soft">There are none.</p> : <EntryRows entries={found.results} />}
              <CompleteTo found={found} shown={found.results.length} />
            </>
          )}
        </Answered>
      </Card>
    </>
  );
}

function Activity({ identity }: { readonly identity: Identity }) {
  const { count, complete, first, last, issuers, repositories, kinds, activity } = identity;
  if (count === 0) {
    return <Notice title="It has signed nothing here">Or the name is written differently in its certificates.</Notice>;
  }
  return (
    <>
      <dl class="figures card">
        <div>
          <dt>{count === 1 ? "Signature" : "Signatures"}</dt>
          <dd>
            {grouped(count)}
            {!complete && <small>of the newest that were counted</small>}
          </dd>
        </div>
        {first !== undefined && <Moment name="First" time={first} />}
        {last !== undefined && <Moment name="Last" time={last} />}
      </dl>
      <Card title="Activity">
        <BarChart caption="Signatures a day, UTC" points={everyDay(activity)} />
      </Card>
      <div class="columns">
        <Counts title="Repositories" counts={repositories} />
        <Counts title="Kinds of entries" counts={kinds} />
        <Counts title="Vouched for by" counts={issuers.map((value) => ({ value }))} />
      </div>
    </>
  );
}

function Moment({ name, time }: { readonly name: string; readonly time: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {utcDay(time)}
        <small>
          <Time value={time} />
        </small>
      </dd>
    </div>
  );
}

interface CountsProps {
  readonly title: string;
  readonly counts: readonly { readonly value: string; readonly count?: number }[];
}

function Counts({ title, counts }: CountsProps) {
  if (counts.length === 0) return null;
  return (
    <Card title={title}>
      <table class="table">
        <tbody>
          {counts.map(({ value, count }) => (
            <tr key={value}>
              <td>
                <Linked value={value} />
              </td>
              {count !== undefined && <td class="number">{grouped(count)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

const DAY = 86_400_000;
const MOST_DAYS = 370;
const FEWEST_DAYS = 30;

/** Days without a signature stand there as nothing, so that a pause is seen; of long histories the last year. */
function everyDay(activity: Identity["activity"]): ChartPoint[] {
  const counts = new Map(activity.map(({ day, count }) => [day, count]));
  const days = activity.map(({ day }) => Date.parse(day)).filter((time) => !Number.isNaN(time));
  const last = Math.max(...days);
  const first = Math.max(Math.min(...days, last - (FEWEST_DAYS - 1) * DAY), last - (MOST_DAYS - 1) * DAY);
  if (!Number.isFinite(first)) return [];
  return Array.from({ length: Math.round((last - first) / DAY) + 1 }, (_, at) => {
    const day = new Date(first + at * DAY).toISOString().slice(0, 10);
    return { label: day, value: counts.get(day) ?? 0 };
  });
}
