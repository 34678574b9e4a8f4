import { entriesOf, fetchLogs, type Log } from "../api/logs.ts";
import { AlarmBanner } from "../parts/alarm-banner.tsx";
import { Card, Facts, Lead } from "../parts/card.tsx";
import { Answered } from "../parts/notice.tsx";
import { Hash, Text, Time } from "../parts/text.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { logPath } from "../route.ts";
import { grouped } from "../text/time.ts";

export function LogsPage() {
  const logs = useAnswer("logs", fetchLogs);
  return (
    <>
      <Lead title="Logs">
        Each is one Merkle tree that only grows, signed under a key of its own: signatures of either generation of
        Rekor, and the certificates of the authority.
      </Lead>
      <AlarmBanner />
      <Answered answer={logs} waiting="Reading the logs" name="The API of logs">
        {(found) => (
          <>
            {found.map((log) => (
              <LogCard key={log.log} log={log} />
            ))}
          </>
        )}
      </Answered>
    </>
  );
}

export const LOG_WORDS: Readonly<Record<string, string>> = {
  rekor: "Signatures, Rekor v1",
  "rekor-v2": "Signatures, Rekor v2",
};

function LogCard({ log }: { readonly log: Log }) {
  return (
    <Card
      title={LOG_WORDS[log.log] ?? "Certificates"}
      note={
        <a href={logPath(log.log)}>
          <Text value={log.log} />, its growth and key
        </a>
      }
    >
      <Facts
        lines={[
          ["Size", <Size log={log} />],
          ["State", <LogState log={log} />],
          ["Root", <Hash value={log.root} />],
          log.time === undefined ? undefined : ["Checkpoint of", <Time value={log.time} />],
          ["Origin", <Text value={log.origin} />],
        ]}
      />
    </Card>
  );
}

export function Size({ log }: { readonly log: Log }) {
  const { size, shards = [] } = log;
  if (shards.length < 2) return <>{grouped(size)}</>;
  return (
    <>
      {grouped(entriesOf(log))}{" "}
      <span class="small">
        in {shards.length} trees, {grouped(size)} of them in the newest
      </span>
    </>
  );
}

export function LogState({ log }: { readonly log: Log }) {
  if (log.frozen === true) return <span class="badge warn">frozen: it takes no more entries</span>;
  if (log.readOnly === true) return <span class="badge warn">read-only</span>;
  return <span class="badge good">takes entries</span>;
}
