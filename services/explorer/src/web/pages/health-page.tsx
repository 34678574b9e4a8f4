import { useEffect, useState } from "preact/hooks";
import { type Alarm, type Audit, type AuditCheck, byTrouble, fetchAudit, openAlarms, troubleOf } from "../api/audit.ts";
import { auditVerdict } from "../api/audit-verdict.ts";
import { fetchReadiness, type Readiness } from "../api/readiness.ts";
import { Card, Lead } from "../parts/card.tsx";
import { Answered, Notice } from "../parts/notice.tsx";
import { Sign } from "../parts/step-list.tsx";
import { Text, Time } from "../parts/text.tsx";
import { AlarmFacts, TroubleNotice } from "../parts/trouble-notice.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { ago, duration, grouped, utcTime } from "../text/time.ts";

const EVERY_MS = 10_000;

/** What an operator opens first: are the services ready, and what has the auditor found. */
export function HealthPage() {
  const round = useRounds();
  const readiness = useLatest(useAnswer(`ready ${round}`, fetchReadiness));
  const audit = useLatest(useAnswer(`audit ${round}`, fetchAudit));
  return (
    <>
      <Lead title="Health">
        What the services say of themselves, and what the auditor found: a stranger to them, with a memory and with code
        of its own.
      </Lead>
      <Answered answer={readiness} waiting="Asking the services" name="The services' readiness">
        {(found) => <Services readiness={found} />}
      </Answered>
      <Answered answer={audit} waiting="Asking the auditor" name="The auditor">
        {(found) => <Findings audit={found} />}
      </Answered>
    </>
  );
}

function useRounds(): number {
  const [round, setRound] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setRound((before) => before + 1), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return round;
}

/** The answer before, until the next one is there. */
function useLatest<T>(answer: T | undefined): T | undefined {
  const [latest, setLatest] = useState<T>();
  useEffect(() => {
    if (answer !== undefined) setLatest(answer);
  }, [answer]);
  return answer ?? latest;
}

function Services({ readiness: { reasons = [], warnings = [] } }: { readonly readiness: Readiness }) {
  return (
    <>
      {reasons.length === 0 ? (
        <Notice tone="good" title="All services are ready" />
      ) : (
        <Notice
          tone="bad"
          title={reasons.length === 1 ? "One service is not ready" : `${reasons.length} services are not ready`}
        >
          <ul>
            {reasons.map(({ service, reason }) => (
              <li>
                <strong>
                  <Text value={service} />
                </strong>
                : <Text value={reason} />
              </li>
            ))}
          </ul>
        </Notice>
      )}
      {warnings.map(({ service, warning }) => (
        <Notice tone="warn" title={`Before it is too late: ${service}`}>
          <Text value={warning} />
        </Notice>
      ))}
    </>
  );
}

function Findings({ audit }: { readonly audit: Audit }) {
  if (audit.auditor === "off") {
    return (
      <Notice tone="warn" title="No auditor runs in this process">
        Nobody checks these logs, as far as this server knows. One may run elsewhere: chancery auditor.
      </Notice>
    );
  }
  const standing = openAlarms(audit);
  const past = audit.alarms.filter(({ resolved }) => resolved !== undefined);
  return (
    <>
      {standing.length === 0 && <Quiet audit={audit} />}
      {byTrouble(standing).map(
        ([first, ...others]) => first && <TroubleNotice key={troubleOf(first)} first={first} others={others} />,
      )}
      <Watched audit={audit} />
      <Checks checks={audit.checks} alarms={standing} />
      {past.length > 0 && (
        <Card title="Over" note="alarms of before, kept for whoever asks what happened">
          {past.map((alarm) => (
            <details key={alarm.id}>
              <summary>
                <Text value={alarm.what} />
              </summary>
              <AlarmFacts alarm={alarm} />
            </details>
          ))}
        </Card>
      )}
    </>
  );
}

function Quiet({ audit }: { readonly audit: Audit }) {
  const { tone, title, words } = auditVerdict(audit, Date.now());
  return (
    <Notice tone={tone} title={title}>
      <Text value={words} />
    </Notice>
  );
}

function Watched({ audit: { logs, canary } }: { readonly audit: Audit }) {
  return (
    <Card title="Watched logs">
      <div class="scroller" tabIndex={0} role="region" aria-label="Table: watched logs">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Log</th>
              <th scope="col" class="number">
                Size
              </th>
              <th scope="col" class="number">
                Verified
              </th>
              <th scope="col" class="number">
                Behind
              </th>
            </tr>
          </thead>
          <tbody>
            {logs.map(({ log, size, verifiedSize, lagSeconds }) => (
              <tr key={log}>
                <td>
                  <Text value={log} />
                </td>
                <td class="number">{size === undefined ? "–" : grouped(size)}</td>
                <td class="number">{grouped(verifiedSize)}</td>
                <td class="number">{lagSeconds === undefined ? "–" : duration(lagSeconds * 1000)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="soft">
        {canary.lastSuccess === undefined ? (
          "No canary entry has gone end to end yet; its checks say why"
        ) : (
          <>
            The last canary went end to end <Time value={canary.lastSuccess} />
            {canary.latencyMillis !== undefined && `, in ${grouped(Math.round(canary.latencyMillis))} ms`}
          </>
        )}
        {canary.failures > 0 ? `; ${canary.failures} failed.` : "."}
      </p>
    </Card>
  );
}

const SIGNS = { passed: "passed", failing: "failed", unknown: "open" } as const;
const ORDER = ["failing", "unknown", "passed"];

interface ChecksProps {
  readonly checks: readonly AuditCheck[];
  /** Those that stand, and so are told above. */
  readonly alarms: readonly Alarm[];
}

function Checks({ checks, alarms }: ChecksProps) {
  const held = checks.filter(({ state }) => state === "passed").length;
  const sorted = checks.toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  return (
    <Card title="Checks" note={`${held} of ${checks.length} hold`}>
      <ul class="rows checks">
        {sorted.map((check) => (
          <li key={check.name}>
            <CheckLine check={check} hasAlarm={alarms.some((alarm) => tellsOf(alarm, check))} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** Several checks may see one trouble, of which there is one alarm. */
function tellsOf(alarm: Alarm, { name, meaning, remedy }: AuditCheck): boolean {
  return alarm.check === name || (alarm.meaning === meaning && alarm.remedy === remedy);
}

interface CheckLineProps {
  readonly check: AuditCheck;
  readonly hasAlarm: boolean;
}

function CheckLine({ check: { name, state, at, what, meaning, remedy }, hasAlarm }: CheckLineProps) {
  const advice = hasAlarm ? ["An alarm above says what it means and what to do."] : [meaning, remedy];
  const lines = state === "failing" ? advice.filter((line) => line !== undefined) : [];
  return (
    <>
      <Sign state={SIGNS[state]} />
      <h3>
        <Text value={name} /> <span class="hidden-text">: {state}</span>
      </h3>
      <p>
        <Text value={what} />
        {lines.map((line) => (
          <>
            <br />
            <Text value={line} />
          </>
        ))}
      </p>
      <span class="small" title={at === undefined ? "" : utcTime(at)}>
        {at !== undefined && ago(at, Date.now())}
      </span>
    </>
  );
}
