import { type Alarm, isCritical } from "../api/audit.ts";
import { grouped, ordinal } from "../text/time.ts";
import { type FactLine, Facts } from "./card.tsx";
import { Notice } from "./notice.tsx";
import { Text, Time } from "./text.tsx";

interface TroubleProps {
  readonly first: Alarm;
  /** Of the same trouble: what it means and what to do is said once. */
  readonly others: readonly Alarm[];
}

/** So many of one trouble stand open at once; the rest are a key away. */
const MOST_OPEN = 3;

/** All open alarms of one trouble. */
export function TroubleNotice({ first, others }: TroubleProps) {
  const tone = isCritical(first) ? "bad" : "warn";
  if (others.length === 0) {
    return (
      <Notice tone={tone} title={`${first.severity}: ${nameOf(first)}`}>
        <p>
          <Text value={first.what} />
        </p>
        <AlarmFacts alarm={first} />
      </Notice>
    );
  }
  const alarms = [first, ...others];
  const rest = alarms.slice(MOST_OPEN);
  const { severity, trouble } = first;
  return (
    <Notice
      tone={tone}
      title={`${severity}: ${alarms.length} alarms of one kind${trouble === undefined ? "" : `, ${trouble}`}`}
    >
      <Facts lines={adviceOf(first)} />
      <AlarmList alarms={alarms.slice(0, MOST_OPEN)} />
      {rest.length > 0 && (
        <details>
          <summary>{grouped(rest.length)} more of this kind</summary>
          <AlarmList alarms={rest} />
        </details>
      )}
    </Notice>
  );
}

export function AlarmFacts({ alarm }: { readonly alarm: Alarm }) {
  return <Facts lines={[...historyOf(alarm), ...adviceOf(alarm), ...evidenceOf(alarm)]} />;
}

function AlarmList({ alarms }: { readonly alarms: readonly Alarm[] }) {
  return (
    <ul class="alarms">
      {alarms.map((alarm) => (
        <li key={alarm.id}>
          <strong>
            <Text value={nameOf(alarm)} />
          </strong>
          <p>
            <Text value={alarm.what} />
          </p>
          <Facts lines={[...historyOf(alarm), ...evidenceOf(alarm)]} />
        </li>
      ))}
    </ul>
  );
}

function nameOf({ check, quietSince }: Alarm): string {
  return `${check}${quietSince === undefined ? "" : ", quiet now"}`;
}

function historyOf({ since, again, times, quietSince, resolved, reason }: Alarm): (FactLine | undefined)[] {
  return [
    ["Since", <Time value={since} />],
    again === undefined ? undefined : ["Came back", <CameBack times={times} again={again} />],
    quietSince === undefined ? undefined : ["Not seen since", <Quieted since={quietSince} />],
    resolved === undefined ? undefined : ["Over since", <Time value={resolved} />],
    reason === undefined ? undefined : ["Why it is over", <Text value={reason} />],
  ];
}

function adviceOf({ meaning, remedy }: Alarm): FactLine[] {
  return [
    ["What it means", <Text value={meaning} />],
    ["What to do", <Text value={remedy} />],
  ];
}

function evidenceOf({ evidence }: Alarm): FactLine[] {
  return evidence === undefined ? [] : [["Evidence", <Evidence name={evidence} />]];
}

function CameBack({ times, again }: { readonly times: number | undefined; readonly again: string }) {
  return (
    <>
      <Time value={again} />
      {times !== undefined && `, for the ${ordinal(times)} time`}
    </>
  );
}

function Quieted({ since }: { readonly since: string }) {
  return (
    <>
      <Time value={since} />: what came so often is over when it stays away for ten minutes
    </>
  );
}

/** The auditor tells a path; by its last part its evidence can be had here. */
function Evidence({ name }: { readonly name: string }) {
  const last = name.split("/").at(-1) ?? "";
  return (
    <>
      <Text value={name} />{" "}
      <a
        href={`/api/chancery/v1/audit/evidence/${encodeURIComponent(last.toWellFormed())}`}
        target="_blank"
        rel="noopener"
      >
        look at it
      </a>
    </>
  );
}
