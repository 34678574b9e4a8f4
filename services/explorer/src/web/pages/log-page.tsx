import { equalBytes } from "@chancery/encoding";
import { useState } from "preact/hooks";
import { fetchGrowth, fetchLogs, type Interval, type Log } from "../api/logs.ts";
import { AlarmBanner } from "../parts/alarm-banner.tsx";
import { Card, Facts, Lead } from "../parts/card.tsx";
import { LineChart } from "../parts/charts.tsx";
import { Answered, Notice } from "../parts/notice.tsx";
import { Copy, Hash, Text, Time } from "../parts/text.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { useParties } from "../parts/use-parties.ts";
import { parsePublicKeyPem, fingerprint, type PublicKey } from "../proof/public-key.ts";
import { checkLog } from "../proof/check-log.ts";
import { lifeWords } from "../proof/key-life.ts";
import { serversWord } from "../proof/trusted-keys.ts";
import { grouped, utcDay, utcTime } from "../text/time.ts";
import { printableLines } from "../text/printable.ts";
import { StepList, Verdict } from "../parts/step-list.tsx";
import { LOG_WORDS, LogState, Size } from "./logs-page.tsx";

export function LogPage({ name }: { readonly name: string }) {
  const logs = useAnswer("logs", fetchLogs);
  return (
    <>
      <Lead title={name} eyebrow={<a href="/logs">Logs</a>} heading={<Text value={name} />}>
        {LOG_WORDS[name] ?? (name.startsWith("ctlog/") ? "Certificates of the authority" : undefined)}
      </Lead>
      <AlarmBanner />
      <Answered answer={logs} waiting="Reading the log" name="The API of logs">
        {(found) => {
          const log = found.find((one) => one.log === name);
          return log === undefined ? (
            <Notice title="There is no such log here">
              <a href="/logs">All logs</a>
            </Notice>
          ) : (
            <OneLog log={log} />
          );
        }}
      </Answered>
    </>
  );
}

function OneLog({ log }: { readonly log: Log }) {
  return (
    <>
      <CheckedCheckpoint log={log} />
      <Growth name={log.log} />
      <Card title="State">
        <Facts
          lines={[
            ["Size", <Size log={log} />],
            ["State", <LogState log={log} />],
            ["Root", <Hash value={log.root} />],
            log.time === undefined ? undefined : ["Checkpoint of", <Time value={log.time} />],
            ["Origin", <Text value={log.origin} />],
            log.shards === undefined || log.shards.length < 2 ? undefined : ["Shards", <Shards shards={log.shards} />],
          ]}
        />
        {log.checkpoint !== undefined && (
          <details>
            <summary>Checkpoint, as it was signed</summary>
            <Copy value={log.checkpoint} />
            <pre class="block" tabIndex={0}>
              {printableLines(log.checkpoint)}
            </pre>
          </details>
        )}
      </Card>
      <KeyCard log={log} />
    </>
  );
}

function Shards({ shards }: { readonly shards: NonNullable<Log["shards"]> }) {
  return (
    <ul>
      {shards.map(({ origin, size, first }, at) => (
        <li key={origin}>
          <Text value={origin} />{" "}
          <span class="small">
            {grouped(size)} {size === "1" ? "entry" : "entries"}, from {grouped(first ?? "0")} on
            {at < shards.length - 1 && ", ended"}
          </span>
        </li>
      ))}
    </ul>
  );
}

function CheckedCheckpoint({ log }: { readonly log: Log }) {
  const parties = useParties();
  const checked = useAnswer(`check ${log.log} ${log.size} ${parties === undefined}`, async () => {
    const value =
      parties === undefined || log.checkpoint === undefined ? undefined : await checkLog(log, parties.effective);
    return { kind: "answered" as const, value };
  });
  if (checked?.kind !== "answered" || checked.value === undefined) return null;
  return (
    <>
      <Verdict steps={checked.value.steps} serversWord={serversWord(checked.value.logKey, undefined)} what="log" />
      <details>
        <summary>What was checked</summary>
        <div class="card">
          <StepList steps={checked.value.steps} />
        </div>
      </details>
    </>
  );
}

const RANGES: readonly { readonly name: string; readonly days: number; readonly interval: Interval }[] = [
  { name: "day", days: 1, interval: "hour" },
  { name: "month", days: 30, interval: "day" },
  { name: "year", days: 365, interval: "week" },
];
const DAY = 86_400_000;

function Growth({ name }: { readonly name: string }) {
  const [range, setRange] = useState(RANGES[1] ?? { name: "month", days: 30, interval: "day" as const });
  const answer = useAnswer(`${name} ${range.name}`, (signal) => {
    const now = Date.now();
    const time = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`;
    return fetchGrowth(name, { from: time(now - range.days * DAY), to: time(now), interval: range.interval }, signal);
  });
  return (
    <Card
      title="Growth"
      note={
        <span class="actions" role="group" aria-label="Range">
          {RANGES.map((one) => (
            <button
              key={one.name}
              type="button"
              class="link-button small"
              aria-pressed={one === range}
              onClick={() => setRange(one)}
            >
              {one.name}
            </button>
          ))}
        </span>
      }
    >
      <Answered answer={answer} waiting="Reading the growth" name="The growth of this log">
        {({ points }) => (
          <LineChart
            caption={`Entries over the last ${range.name}, UTC`}
            points={points.map(({ time, size }) => ({
              label: range.name === "day" ? utcTime(time).slice(0, 16) : utcDay(time),
              value: Number(size),
            }))}
          />
        )}
      </Answered>
    </Card>
  );
}

function KeyCard({ log }: { readonly log: Log }) {
  const key = readKey(log.publicKey);
  return (
    <Card title="Key" note={<Copy value={log.publicKey} label="Copy as PEM" />}>
      <Facts
        lines={[
          ["Algorithm", key?.algorithm ?? "not known to this page"],
          ...keyNames(log, key).map(([names, value]) => [names, <Hash value={value} />] as const),
          ["Believed", <Window pem={log.publicKey} />],
        ]}
      />
      <p class="small">
        <a href="/keys">Compare it with the keys this browser trusts</a>
      </p>
    </Card>
  );
}

/** What is the same under several names, as of Rekor v1, is told once. */
function keyNames({ keyId, logId }: Log, key: PublicKey | undefined): readonly (readonly [string, string])[] {
  const names = new Map<string, string[]>();
  const told = [
    ["SHA-256", key && fingerprint(key).toHex()],
    ["key ID", keyId],
    ["log ID", logId],
  ] as const;
  for (const [name, value] of told) if (value !== undefined) names.set(value, [...(names.get(value) ?? []), name]);
  return [...names].map(([value, same]) => {
    const words = same.join(", ");
    return [words.charAt(0).toUpperCase() + words.slice(1), value] as const;
  });
}

/** A log's key does not expire by itself: the trusted root says from when to when it is believed. */
function Window({ pem }: { readonly pem: string }) {
  const parties = useParties();
  const key = readKey(pem);
  if (parties === undefined || key === undefined) return <>the trusted root is not read yet</>;
  const known = parties.server.logKeys.find((trusted) => equalBytes(trusted.key.spki, key.spki));
  if (known === undefined) return <>not at all: the trusted root does not have this key</>;
  return <>{lifeWords(known.validFor ?? {})}</>;
}

function readKey(pem: string): PublicKey | undefined {
  try {
    return parsePublicKeyPem(pem, "key");
  } catch {
    return undefined;
  }
}
