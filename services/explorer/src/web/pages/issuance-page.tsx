import { useState } from "preact/hooks";
import {
  fetchCertificates,
  fetchIssuanceSummary,
  fetchRefusals,
  type IssuanceSummary,
  type IssuedCertificate,
  type Refusals,
} from "../api/issuance.ts";
import { AlarmBanner } from "../parts/alarm-banner.tsx";
import { useCanaryKeys } from "../parts/canaries.tsx";
import { Card, Lead } from "../parts/card.tsx";
import { BarChart } from "../parts/charts.tsx";
import { Answered } from "../parts/notice.tsx";
import { Paged } from "../parts/paged.tsx";
import { Linked, Text, Time } from "../parts/text.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { isCanaryKey } from "../query/newest-entries.ts";
import { certificatePath, identityPath } from "../route.ts";
import { grouped } from "../text/time.ts";
import { CertificatePage } from "./certificate-page.tsx";

const RANGES = [7, 30, 365] as const;

export function IssuancePage({ serial }: { readonly serial: string | undefined }) {
  return serial === undefined ? <Ledger /> : <CertificatePage key={serial} serial={serial} />;
}

function Ledger() {
  const [days, setDays] = useState<number>(30);
  const summary = useAnswer(String(days), (signal) => fetchIssuanceSummary(days, signal));
  return (
    <>
      <Lead title="Issuance">
        What the authority issued and what it refused, from its own ledger: a certificate for everyone who signed, and a
        reason for everyone who could not.
      </Lead>
      <AlarmBanner />
      <div class="actions" role="group" aria-label="Range">
        {RANGES.map((range) => (
          <button key={range} type="button" class="button" aria-pressed={range === days} onClick={() => setDays(range)}>
            {range} days
          </button>
        ))}
      </div>
      <Answered answer={summary} waiting="Reading the ledger" name="The issuance ledger">
        {(found) => (
          <>
            <Summary summary={found} />
            <CertificatesCard />
            <RefusalsCard />
          </>
        )}
      </Answered>
    </>
  );
}

function Summary({ summary: { certificates, refusals, days, unused } }: { readonly summary: IssuanceSummary }) {
  return (
    <>
      <dl class="figures card">
        <Figure
          name={certificates.count === 1 ? "Certificate" : "Certificates"}
          value={certificates.count}
          partial={!certificates.complete}
        />
        <Figure
          name={certificates.identities.different === 1 ? "Identity" : "Identities"}
          value={certificates.identities.different}
        />
        <Figure
          name={refusals.count === 1 ? "Refusal" : "Refusals"}
          value={refusals.count}
          partial={!refusals.complete}
        />
        {unused !== undefined && (
          <div>
            <dt>Never used</dt>
            <dd>
              {grouped(unused.results.length)}
              {unused.cursor !== undefined && "+"}
              <small>{unused.results.length === 1 ? "certificate" : "certificates"} whose key no log has seen</small>
            </dd>
          </div>
        )}
      </dl>
      <Card title="Certificates a day">
        <BarChart
          caption="Certificates issued a day, UTC"
          points={days.map(({ day, certificates: value }) => ({ label: day, value }))}
        />
      </Card>
      <Tops certificates={certificates} refusals={refusals} />
      {unused !== undefined && unused.results.length > 0 && (
        <Card title="Keys never used" note="issued, and no signature by them is in any log">
          <CertificateTable certificates={unused.results} />
          {unused.cursor !== undefined && <p class="small">There are more; the API has them all.</p>}
        </Card>
      )}
    </>
  );
}

function Tops({ certificates, refusals }: Pick<IssuanceSummary, "certificates" | "refusals">) {
  return (
    <div class="columns">
      <TopTable
        title="By identity"
        rows={certificates.identities.top.map(({ value, count }) => ({
          key: value,
          shown: (
            <a href={identityPath(value)}>
              <Text value={value} />
            </a>
          ),
          count,
        }))}
      />
      <TopTable
        title="By issuer"
        rows={certificates.issuers.top.map(({ issuer = "unknown", count }) => ({
          key: issuer,
          shown: <Linked value={issuer} />,
          count,
        }))}
      />
      <TopTable
        title="Refusals, why"
        rows={refusals.reasons.map(({ code, count }) => ({
          key: code,
          shown: (
            <code>
              <Text value={code} />
            </code>
          ),
          count,
        }))}
      />
    </div>
  );
}

/** The auditor signs each minute, end to end, to see that it can be done. */
function CanaryMark() {
  return (
    <>
      {" "}
      <span class="badge" title="It signs each minute to see that all works">
        the auditor's canary
      </span>
    </>
  );
}

/** The ledger's row is not what it should be: its page says how. */
function BadMark({ words }: { readonly words: string }) {
  return (
    <div class="small bad-words">
      <Text value={words} />
    </div>
  );
}

interface FigureProps {
  readonly name: string;
  readonly value: number;
  readonly partial?: boolean;
}

function Figure({ name, value, partial = false }: FigureProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {grouped(value)}
        {partial && <small>of the newest that were counted</small>}
      </dd>
    </div>
  );
}

interface TopTableProps {
  readonly title: string;
  readonly rows: readonly { readonly key: string; readonly shown: preact.ComponentChildren; readonly count: number }[];
}

function TopTable({ title, rows }: TopTableProps) {
  return (
    <Card title={title}>
      {rows.length === 0 ? (
        <p class="soft">None in this time.</p>
      ) : (
        <table class="table">
          <tbody>
            {rows.map(({ key, shown, count }) => (
              <tr key={key}>
                <td>{shown}</td>
                <td class="number">{grouped(count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  );
}

function CertificatesCard() {
  return (
    <Card title="Newest certificates">
      <Paged id="certificates" name="The issuance ledger" fetchPage={fetchCertificates}>
        {(found) => <CertificateTable certificates={found} />}
      </Paged>
    </Card>
  );
}

function CertificateTable({ certificates }: { readonly certificates: readonly IssuedCertificate[] }) {
  const canaries = useCanaryKeys() ?? new Set<string>();
  if (certificates.length === 0) return <p class="soft">None has been issued yet.</p>;
  return (
    <div class="scroller" tabIndex={0} role="region" aria-label="Table: certificates">
      <table class="table stacked">
        <thead>
          <tr>
            <th scope="col">Issued</th>
            <th scope="col">Identity</th>
            <th scope="col">Vouched for by</th>
            <th scope="col">Serial number</th>
          </tr>
        </thead>
        <tbody>
          {certificates.map(({ serial, issuedAt, sans, issuer, keyHash, contradicts, unreadable }) => (
            <tr key={serial}>
              <td>
                <Time value={issuedAt} />
              </td>
              <td>
                {sans.map(({ value }) => (
                  <a href={identityPath(value)}>
                    <Text value={value} />
                  </a>
                ))}
                {isCanaryKey(keyHash, canaries) && <CanaryMark />}
              </td>
              <td>{issuer !== undefined && <Linked value={issuer} />}</td>
              <td>
                <a class="hash short" href={certificatePath(serial)} title="The certificate, and what its key signed">
                  <Text value={serial.slice(0, 16)} />…
                </a>
                {contradicts !== undefined && <BadMark words={`another ${contradicts} than the certificate`} />}
                {unreadable !== undefined && <BadMark words="cannot be read" />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function RefusalsCard() {
  return (
    <Card title="Newest refusals">
      <Paged id="refusals" name="The issuance ledger" fetchPage={fetchRefusals}>
        {(found) => <RefusalTable refusals={found} />}
      </Paged>
    </Card>
  );
}

function RefusalTable({ refusals }: { readonly refusals: Refusals["results"] }) {
  if (refusals.length === 0) return <p class="soft">Nothing has been refused.</p>;
  return (
    <div class="scroller" tabIndex={0} role="region" aria-label="Table: refusals">
      <table class="table stacked">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Step</th>
            <th scope="col">Reason</th>
            <th scope="col">Who</th>
          </tr>
        </thead>
        <tbody>
          {refusals.map(({ time, code, reason, issuer, subject, count }) => (
            <tr key={`${time} ${code} ${subject ?? ""}`}>
              <td>
                <Time value={time} />
              </td>
              <td>
                <code>
                  <Text value={code} />
                </code>
                {count > 1 && ` × ${count}`}
              </td>
              <td>
                <Text value={reason} />
              </td>
              <td>
                {subject !== undefined && <Text value={subject} />}
                {issuer !== undefined && (
                  <div class="small">
                    <Linked value={issuer} />
                  </div>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
