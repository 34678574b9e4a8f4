import { parsePem } from "@chancery/encoding";
import { fetchCertificate, type IssuedCertificate } from "../api/issuance.ts";
import { type Certificate, parseCertificate } from "../certificate/certificate.ts";
import { AlarmBanner } from "../parts/alarm-banner.tsx";
import { CertificateFacts } from "../parts/certificate-facts.tsx";
import { Lead } from "../parts/card.tsx";
import { Answered, Notice } from "../parts/notice.tsx";
import { Copy, Text, Time } from "../parts/text.tsx";
import { useAnswer } from "../parts/use-answer.ts";

/** What was issued, read from the certificate itself. */
export function CertificatePage({ serial }: { readonly serial: string }) {
  const answer = useAnswer(`certificate ${serial}`, (signal) => fetchCertificate(serial, signal));
  const found = answer?.kind === "answered" ? answer.value : undefined;
  const certificate = readPem(found?.pem);
  const title = certificate?.sans[0]?.value ?? `Certificate ${serial}`;
  return (
    <>
      <Lead title={title} heading={<Text value={title} />} eyebrow={<a href="/issuance">Issuance</a>}>
        {found !== undefined && (
          <>
            was given a certificate <Time value={found.issuedAt} />.
          </>
        )}
      </Lead>
      <AlarmBanner />
      <Answered answer={answer} waiting="Looking for the certificate" name="The issuance ledger">
        {(issued) => <Issued issued={issued} certificate={certificate} asked={serial} />}
      </Answered>
    </>
  );
}

interface IssuedProps {
  readonly issued: IssuedCertificate & { readonly pem?: string | undefined };
  readonly certificate: Certificate | undefined;
  readonly asked: string;
}

function Issued({ issued, certificate, asked }: IssuedProps) {
  const { pem, keyHash, unreadable, wouldRefuse } = issued;
  if (certificate === undefined) {
    return (
      <Notice tone="warn" title="The certificate in the ledger cannot be read">
        <Text value={unreadable ?? "It is no certificate that this page knows."} />
      </Notice>
    );
  }
  return (
    <>
      {!isSerial(certificate.serial, asked) && (
        <Notice tone="bad" title="This is another certificate than the one that was asked for" />
      )}
      <Denied issued={issued} />
      {wouldRefuse !== undefined && (
        <Notice tone="warn" title="A policy in dry run would have refused it">
          <Text value={wouldRefuse} />
        </Notice>
      )}
      <CertificateFacts certificate={certificate} title="The certificate" />
      <div class="actions">
        <a href={`/search?${new URLSearchParams({ q: `key:${keyHash}` }).toString()}`}>What its key signed</a>
        <Copy value={pem ?? ""} label="Copy as PEM" />
      </div>
    </>
  );
}

/** The row is the database's word; the certificate, which the certificate log has too, is nobody's to change. */
function Denied({ issued: { contradicts, issuer, subject } }: { readonly issued: IssuedCertificate }) {
  if (contradicts === undefined) return null;
  const stored = { issuer, subject }[contradicts];
  return (
    <Notice tone="bad" title="The ledger says something else than this certificate">
      <p>
        The row's <Text value={contradicts} /> {stored !== undefined && <Text value={stored} />} is not the
        certificate's: somebody wrote to the database. Believe the certificate, which is what is shown below.
      </p>
      {contradicts === "issuer" && (
        <p>
          Or the issuer was configured with issuer-claim once, so that its certificates name who vouched, and is no
          more: then whoever runs this names it below chancery.fulcio.once-federated.
        </p>
      )}
    </Notice>
  );
}

/** With or without the zeros in front, that an integer may have. */
function isSerial(serial: string, asked: string): boolean {
  return serial.toLowerCase().replace(/^0+/, "") === asked.toLowerCase().replace(/^0+/, "");
}

function readPem(pem: string | undefined): Certificate | undefined {
  try {
    const [block] = parsePem(pem ?? "", "certificate");
    return block && parseCertificate(block.der, "certificate");
  } catch {
    return undefined;
  }
}
