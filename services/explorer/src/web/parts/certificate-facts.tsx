import type { Certificate } from "../certificate/certificate.ts";
import { serialText } from "../certificate/certificate.ts";
import { CLAIM_WORDS } from "../certificate/fulcio-extensions.ts";
import { fingerprint } from "../proof/public-key.ts";
import { identityPath } from "../route.ts";
import { duration, utcTime } from "../text/time.ts";
import { Card, type FactLine, Facts } from "./card.tsx";
import { Hash, Linked, Text } from "./text.tsx";

const NAME_KINDS = { email: "E-mail address", uri: "Identity", dns: "Host", other: "User name" } as const;

interface CertificateFactsProps {
  readonly certificate: Certificate;
  readonly title?: string;
  /** Whether the page has a step that checks the certificate log's timestamp. */
  readonly checked?: boolean;
}

/** A Fulcio certificate in plain words: who, by whose word, from which source and run, and for how long. */
export function CertificateFacts({ certificate, title = "Who signed it", checked = false }: CertificateFactsProps) {
  const { sans, claims, issuer, notBefore, notAfter, key, serial, sctList } = certificate;
  const names = sans.map(({ type, value }): FactLine => [
    NAME_KINDS[type],
    <>
      <Text value={value} />{" "}
      <a class="small" href={identityPath(value, claims.issuer)}>
        all it signed
      </a>
    </>,
  ]);
  const told = [...CLAIM_WORDS].map(([name, words]): FactLine | undefined => {
    const value = claims[name];
    return value === undefined || value === "" ? undefined : [words, <Linked value={value} />];
  });
  return (
    <Card title={title}>
      <Facts
        lines={[
          ...names,
          ...told,
          [
            "Certificate valid",
            `${utcTime(notBefore.getTime())}, for ${duration(notAfter.getTime() - notBefore.getTime())}`,
          ],
          ["Issued by", <Text value={issuer} />],
          [
            "Certificate log",
            sctList === undefined
              ? "It names none"
              : `It carries a log's timestamp${checked ? "; its step says whether that holds" : ""}`,
          ],
        ]}
      />
      <details>
        <summary>Serial number and key</summary>
        <Facts
          lines={[
            ["Serial number", <Hash value={serialText(serial)} />],
            ["Key", key.algorithm],
            ["Key's SHA-256", <Hash value={fingerprint(key).toHex()} />],
          ]}
        />
      </details>
    </Card>
  );
}
