import { type FulcioSettings, otherCtLog } from "./fulcio-settings.ts";

/** What a person needs to know when everything runs, and the lines to paste. */
export interface BannerFacts {
  readonly url: string;
  readonly shard: string;
  /** Of the v1 log, where it has several: how many, and the one that takes entries. */
  readonly rekorShards?: string | undefined;
  readonly ctLog: FulcioSettings["ctLog"];
  /** SHA-256 of the first TUF root, in hexadecimal: what a client is to trust, told out of band. */
  readonly rootChecksum: string;
  readonly data: string;
  /** Undefined: embedded. Never the URL, which holds a password. */
  readonly database: string;
  /** In development mode. */
  readonly identityProvider: string | undefined;
  /** Those configured, each with its client. */
  readonly issuers: readonly string[];
  /** `host:port`, where gRPC was asked for. */
  readonly grpc?: string | undefined;
  /** Who may write to a log and who may read, where that is not everyone. */
  readonly restrictions: readonly (readonly [what: string, whom: string])[];
}

export interface PasteLines {
  readonly title: string;
  readonly lines: readonly string[];
}

const EMAIL = "dev@example.com";

/** Where each service is, aligned by the caller. */
export function places(facts: BannerFacts): readonly (readonly [name: string, place: string])[] {
  const { url, shard, rekorShards, identityProvider } = facts;
  return [
    ["Fulcio", url],
    ...(facts.grpc === undefined ? [] : [["Fulcio over gRPC", facts.grpc] as const]),
    ["Rekor", url],
    ...(rekorShards === undefined ? [] : [["Rekor's shards", rekorShards] as const]),
    ["CT log", otherCtLog(facts) ?? `${url}/ctlog/${shard}`],
    ["Timestamps", `${url}/api/v1/timestamp`],
    ["TUF", `${url}/tuf`],
    ["Trust", `${url}/trust/trusted_root.json`],
    ...(identityProvider === undefined ? [] : [["Identity provider", identityProvider] as const]),
    ...facts.issuers.map((issuer) => ["Issuer", issuer] as const),
    ...facts.restrictions,
    ["Data", facts.data],
    ["Database", facts.database],
  ];
}

export const DEVELOPMENT_WARNING = "Development identity provider: anyone on this machine can be anyone.";

const VARIABLES = [
  "$TOKEN     an OpenID Connect token of one of the issuers above, made for its client",
  "$IDENTITY  whom the token is for, as in the certificate: an e-mail address, or the URI of a workload",
  "$ISSUER    the URL of the issuer that made the token",
];

/** The exact lines to point cosign here, sign a file and verify it. */
export function pasteLines({ url, rootChecksum, identityProvider }: BannerFacts): readonly PasteLines[] {
  const initialize = `cosign initialize --mirror ${url}/tuf --root ${url}/tuf/root.json --root-checksum ${rootChecksum}`;
  const [token, identity] =
    identityProvider === undefined
      ? ['"$TOKEN"', '--certificate-identity "$IDENTITY" --certificate-oidc-issuer "$ISSUER"']
      : [
          `"$(curl -s '${identityProvider}/token?email=${EMAIL}')"`,
          `--certificate-identity ${EMAIL} --certificate-oidc-issuer ${identityProvider}`,
        ];
  const file = "echo 'hello' > hello.txt";
  return [
    {
      title: "Sign and verify with cosign 2",
      lines: [
        initialize,
        file,
        `cosign sign-blob --yes --fulcio-url ${url} --rekor-url ${url} --identity-token ${token} --bundle hello.bundle hello.txt`,
        `cosign verify-blob --bundle hello.bundle ${identity} hello.txt`,
      ],
    },
    {
      title: "Sign and verify with cosign 3",
      lines: [
        initialize,
        file,
        `cosign sign-blob --yes --identity-token ${token} --bundle hello.sigstore.json hello.txt`,
        `cosign verify-blob --bundle hello.sigstore.json ${identity} hello.txt`,
      ],
    },
  ];
}

export interface Trouble {
  readonly service: string;
  readonly reason: string;
}

/** For a terminal (`colour`) or a file. With troubles it says them first, and not that all is well. */
export function renderBanner(facts: BannerFacts, colour: boolean, troubles: readonly Trouble[] = []): string {
  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const table = places(facts);
  const width = Math.max(...table.map(([name]) => name.length));
  return [
    "",
    ...(troubles.length === 0
      ? [paint(1, "Chancery is ready.")]
      : [
          paint(31, "Chancery runs, and is not ready:"),
          ...troubles.map(({ service, reason }) => `  ${service}: ${reason.replace(`log ${service}: `, "")}`),
        ]),
    "",
    ...table.map(([name, place]) => `  ${paint(2, name.padEnd(width))}  ${place}`),
    ...(facts.identityProvider === undefined ? [] : ["", paint(33, DEVELOPMENT_WARNING)]),
    ...pasteLines(facts).map(
      ({ title, lines }) => `
${paint(1, `${title}:`)}

${indent(lines)}`,
    ),
    ...(facts.identityProvider === undefined ? ["", indent(VARIABLES)] : []),
    "",
    paint(
      2,
      "`cosign initialize` without arguments points cosign back to the public instance. Ctrl-C stops everything.",
    ),
    "",
    "",
  ].join("\n");
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join("\n");
}
