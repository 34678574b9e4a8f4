import { decodeHex, encodeBase64, encodeHex } from "@chancery/encoding";
import { Malformed, Misconfigured } from "@chancery/fault";
import {
  type IssuanceLedger,
  type IssuedEntry,
  type IssuedQuery,
  type PlacedRefusal,
  PostgresIssuanceLedger,
  type RefusalCode,
  type RefusedQuery,
} from "@chancery/fulcio";
import { parseFlags } from "./flags.ts";
import { readInstallation } from "./installation-file.ts";
import { openInstallationDatabase } from "./installation-database.ts";
import { printable } from "./printable.ts";
import { type Environment, resolveSettings } from "./settings.ts";
import { parseTimeFlag } from "./time-flag.ts";

const USAGE = `usage: chancery issued [FLAGS]

What the authority has issued, newest first, from its ledger: time, serial, index in the CT log, name, issuer.
Works while chancery runs, and with a PostgreSQL role that may only read.

  --issuer URL         for tokens whose \`iss\` this is
  --san NAME           with this name in the certificate, without the type that is
                       printed before it; NAME* for all that begin so
  --serial HEX         the one with this serial
  --since TIME         an ISO date, or 30m, 24h, 7d ago
  --until TIME         the same
  --would-refuse       only what a policy in dry run would have refused
  --refused            the refusals instead: time, code, rule, subject, issuer, reason
                       (an issuer that is not configured is named in the log
                       of chancery serve alone: anyone can write one into a token)
  --code CODE          with --refused: those with this code
  --limit N            at most so many                             100; all for no end
  --json               one JSON object a line, with hashes and the certificate
  --data FOLDER        the installation                            CHANCERY_DATA, or ./.chancery
  --database-url URL   its PostgreSQL, if not the embedded one     CHANCERY_DATABASE_URL
`;

const FLAGS = {
  issuer: { type: "string" },
  san: { type: "string" },
  serial: { type: "string" },
  since: { type: "string" },
  until: { type: "string" },
  "would-refuse": { type: "boolean" },
  refused: { type: "boolean" },
  code: { type: "string" },
  limit: { type: "string", default: "100" },
  json: { type: "boolean" },
  data: { type: "string" },
  "database-url": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

interface Terminal {
  out(this: void, text: string): void;
  err(this: void, text: string): void;
}

type Flags = ReturnType<typeof parseFlags<typeof FLAGS>>;
type Reader = Pick<IssuanceLedger, "issued" | "refused">;

const PAGE = 500;

/** `chancery issued`: resolves with the exit code. */
export async function issued(
  argv: readonly string[],
  environment: Environment,
  { out, err }: Terminal,
): Promise<number> {
  const flags = parseFlags(argv, FLAGS);
  if (flags.help === true) {
    out(USAGE);
    return 0;
  }
  const print = printer(flags);
  const { data, databaseUrl } = await resolveSettings(
    { data: flags.data, "database-url": flags["database-url"] },
    environment,
  );
  if (databaseUrl === undefined) await readInstallation(data);
  await using opened = new AsyncDisposableStack();
  const ledger = await PostgresIssuanceLedger.find(await openInstallationDatabase(data, databaseUrl, opened, err));
  if (ledger === undefined) {
    throw new Misconfigured("--data", "its database has no ledger yet; chancery serve makes it when it starts");
  }
  for await (const line of print(ledger)) out(`${line}\n`);
  return 0;
}

/** Everything that can be wrong with the flags is said before a database is opened. */
function printer(flags: Flags): (ledger: Reader) => AsyncGenerator<string> {
  const limit = parseLimit(flags.limit);
  const now = Date.now();
  const [since, until] = [parseTimeFlag("since", flags.since, now), parseTimeFlag("until", flags.until, now)];
  const range = { issuer: flags.issuer, since, until };
  const json = flags.json === true;
  if (flags.refused === true) {
    refuse(flags, ["san", "serial", "would-refuse"], "is not known of a refusal");
    const query = { ...range, code: flags.code as RefusalCode | undefined };
    return (ledger) => refusalLines(ledger, query, limit, json);
  }
  refuse(flags, ["code"], "needs --refused");
  const names = flags.san?.endsWith("*") === true ? { sanPrefix: flags.san.slice(0, -1) } : { san: flags.san };
  const query = { ...range, ...names, serial: parseSerial(flags.serial), wouldRefuse: flags["would-refuse"] };
  return (ledger) => certificateLines(ledger, query, limit, json);
}

function refuse(flags: Flags, names: readonly (keyof Flags)[], reason: string): void {
  const given = names.find((name) => flags[name] !== undefined);
  if (given !== undefined) throw new Misconfigured(`--${given}`, reason);
}

function parseLimit(text: string): number {
  if (text === "all") return Infinity;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Misconfigured("--limit", "is neither a number nor all");
  return Number(text);
}

/** As certificates are shown: with or without colons, the leading zeros of a positive number left out or not. */
function parseSerial(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const digits = text.replaceAll(":", "").padStart(40, "0");
  try {
    if (digits.length === 40) return decodeHex(digits, "--serial");
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
  }
  throw new Misconfigured("--serial", "is not a serial of 20 bytes in hexadecimal");
}

async function* certificateLines(
  ledger: Reader,
  query: Omit<IssuedQuery, "limit">,
  limit: number,
  json: boolean,
): AsyncGenerator<string> {
  let [left, after]: [number, IssuedQuery["after"]] = [limit, undefined];
  while (left > 0) {
    const page = await ledger.issued({ ...query, after, limit: Math.min(left, PAGE) });
    for (const entry of page) yield json ? JSON.stringify(certificateJson(entry)) : certificateText(entry);
    left = page.length < PAGE ? 0 : left - page.length;
    after = page.at(-1);
  }
}

async function* refusalLines(
  ledger: Reader,
  query: Omit<RefusedQuery, "limit">,
  limit: number,
  json: boolean,
): AsyncGenerator<string> {
  let [left, after]: [number, RefusedQuery["after"]] = [limit, undefined];
  while (left > 0) {
    const page = await ledger.refused({ ...query, after, limit: Math.min(left, PAGE) });
    for (const entry of page) yield json ? JSON.stringify(refusalJson(entry)) : refusalText(entry);
    left = page.length < PAGE ? 0 : left - page.length;
    after = page.at(-1);
  }
}

function certificateText({ time, serial, ctIndex, san, issuer, wouldRefuse }: IssuedEntry): string {
  const cells = [
    new Date(time).toISOString(),
    encodeHex(serial),
    (ctIndex === undefined ? "-" : String(ctIndex)).padStart(8),
    `${san.type}:${printable(san.value)}`,
    printable(issuer),
    ...(wouldRefuse === undefined ? [] : [`dry run: ${wouldRefuse}`]),
  ];
  return cells.join("  ");
}

function certificateJson(entry: IssuedEntry) {
  return {
    time: new Date(entry.time).toISOString(),
    issuer: entry.issuer,
    subject: entry.subject,
    san: entry.san,
    serial: encodeHex(entry.serial),
    ctIndex: entry.ctIndex === undefined ? null : String(entry.ctIndex),
    certificateSha256: encodeHex(entry.certificateHash),
    publicKeySha256: encodeHex(entry.keyHash),
    claimsSha256: encodeHex(entry.claimsHash),
    wouldRefuse: entry.wouldRefuse ?? null,
    certificate: encodeBase64(entry.certificate),
  };
}

function refusalText({ time, code, count, rule, subject, issuer, reason }: PlacedRefusal): string {
  const cells = [
    new Date(time).toISOString(),
    count === 1 ? code : `${code} (${count} times)`,
    ...[rule, subject, issuer].map((text) => (text === undefined ? "-" : printable(text))),
    printable(reason),
  ];
  return cells.join("  ");
}

function refusalJson({ time, code, count, rule, subject, issuer, reason }: PlacedRefusal) {
  return {
    time: new Date(time).toISOString(),
    code,
    count,
    issuer: issuer ?? null,
    subject: subject ?? null,
    rule: rule ?? null,
    reason,
  };
}
