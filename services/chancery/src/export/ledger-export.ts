import { sha256 } from "@chancery/crypto";
import { decodeHex, encodeHex } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import {
  type IssuanceHistory,
  parseSerial,
  PostgresIssuanceHistory,
  PostgresIssuanceLedger,
  REFUSAL_CODES,
  writersEnded,
} from "@chancery/fulcio";
import type { Begun } from "./begun.ts";
import { federatedIssuers } from "../federated-issuers.ts";
import { exportedLog, indexAt } from "./entry-source.ts";
import type { Filters } from "./filters.ts";
import { ChosenCertificates, CtLogOfRows, type HeldCertificates } from "./held-certificates.ts";
import { certificateSource, refusalSource, settled } from "./ledger-source.ts";
import { logOrigin } from "../log-origins.ts";
import { publicKeyIn, verifyExportedHead } from "./log-keys.ts";
import { logReader } from "./log-reader.ts";
import { LoggedCertificates, ROW_MARGIN_MS } from "./logged-certificates.ts";
import type { ExportedLog } from "./manifest.ts";
import { publishedLog, type Site } from "./site.ts";
import type { Position, Source } from "./source.ts";

/** Of a storm of refusals the counts bear the time of the first, and are written up to a minute later. */
const COUNTS_ON_THE_WAY_MS = 120_000;

/** The latest end that nothing belongs before which is not in the ledger yet. */
export function latestEnd(kind: Begun["kind"], now: number): number {
  return kind === "refusals" ? now - COUNTS_ON_THE_WAY_MS : now;
}

/** What the ledger has up to now, of refusals up to two minutes ago. The CT log's checkpoint says which certificates there are, and its key signs. */
export async function beginLedger(
  site: Site,
  kind: Begun["kind"],
  filters: Filters,
  now: () => number,
): Promise<Pick<Begun, "logs" | "range">> {
  if ((await PostgresIssuanceLedger.find(site.db)) === undefined) {
    throw new Misconfigured("--data", "its database has no ledger yet; chancery serve makes it when it starts");
  }
  const latest = latestEnd(kind, now());
  const to = Math.min(filters.range.to ?? latest, latest);
  const range = { from: Math.min(filters.range.from ?? 0, to), to };
  await settled(to, now, () => writersEnded(site.db));
  const { key, checkpoint, reader } = await publishedLog(site, "ctlog");
  const log = exportedLog("ctlog", logOrigin(site.installation, "ctlog"), checkpoint);
  const { size } = verifyExportedHead(log, key);
  if (kind !== "certificates" || Object.keys(filters.all).some((name) => name !== "from" && name !== "to")) {
    return { logs: [log], range };
  }
  const isAll = filters.range.from === undefined;
  const from = isAll ? 0n : await indexAt(reader, size, range.from + ROW_MARGIN_MS);
  return { logs: [{ ...log, from: String(from) }], range };
}

export function openLedger(
  site: Site,
  { kind, format, filters, logs: [log], range }: Begun,
  federated: readonly string[],
): Source {
  if (log === undefined) throw new TypeError("an export of the ledger has a log");
  const history = new PostgresIssuanceHistory(site.db);
  const one = (name: string) => filters[name]?.[0];
  const [issuer, subject] = [one("issuer"), one("subject")];
  if (kind === "refusals") {
    const code = refusalCode(one("code"));
    return refusalSource({ history, format, range, log, query: { issuer, subject, code } });
  }
  const [serial, keyHash] = [one("serial"), one("keyHash")];
  const query = {
    san: one("san"),
    issuer,
    subject,
    serial: serial === undefined ? undefined : parseSerial(serial),
    keyHash: keyHash === undefined ? undefined : decodeHex(keyHash, "keyHash"),
  };
  const isFederated = federatedIssuers(federated);
  return certificateSource({
    history,
    format,
    range,
    log,
    query,
    isFederated,
    logged: heldAgainst(site, history, log),
  });
}

/** That each entry has its row is said where filters choose none: what they leave out may well be in the CT log. */
function heldAgainst({ db, data }: Site, history: IssuanceHistory, log: ExportedLog) {
  const { from } = log;
  const entriesOf = async (text: string) => {
    const rows = await history.certificates({ serial: parseSerial(text), order: "oldest", limit: 10 });
    return rows.entries.flatMap(({ ctIndex }) => ctIndex ?? []);
  };
  return async (after: Position | undefined): Promise<HeldCertificates> => {
    const reader = await logReader(db, "ctlog");
    const key = await publicKeyIn(data, "ctlog");
    const rows = new CtLogOfRows(reader, verifyExportedHead(log, key), encodeHex(sha256(key.spki)));
    if (from === undefined) return new ChosenCertificates(log, rows, after);
    return await LoggedCertificates.open({ reader, rows, log: { ...log, from }, entriesOf }, after);
  };
}

function refusalCode(text: string | undefined) {
  const code = REFUSAL_CODES.find((known) => known === text);
  if (text !== undefined && code === undefined)
    throw new Misconfigured("--code", `is none of ${REFUSAL_CODES.join(", ")}`);
  return code;
}
