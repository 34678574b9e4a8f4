import { utf8 } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { parseFlags } from "../flags.ts";
import { showBar } from "../fsck/progress-bar.ts";
import { readInstallation } from "../installation-file.ts";
import { secretIn } from "../secret-file.ts";
import { type Environment, resolveStorage } from "../settings-sources.ts";
import { type Begun, countedLines, type Kind, parseBegun } from "./begun.ts";
import { beginEntries, openEntries } from "./entries-export.ts";
import { ExportFile, isBegun, isFinished, manifestOf } from "./export-file.ts";
import { FILTER_FLAGS, readFilters } from "./filters.ts";
import { checkExportedHead, manifestSigner, publicKeyIn } from "./log-keys.ts";
import { type ExportedLog, signManifest } from "./manifest.ts";
import { checkSameLogs, openSite, type Site } from "./site.ts";
import type { Source } from "./source.ts";

const USAGE = `usage: chancery export entries|certificates|refusals --out FILE [FLAGS]
       chancery export verify FILE MANIFEST --key PEM|--trusted-root FILE|--data FOLDER

Writes FILE, and FILE.manifest: how many lines, of what, their SHA-256 and the logs' checkpoints, signed by the logs' keys.
Works while chancery runs. Oldest first. What was interrupted goes on with --resume, and ends in the same file.

  --out FILE           must not be there yet; while it grows it is FILE.part
  --format FORMAT      jsonl, csv, or for entries bare: JSON      jsonl
                       with bodies that nothing was read from
  --resume             goes on with FILE, with the filters it was begun with
  --from TIME          an ISO date, or 30m, 24h, 7d ago. Times are the
                       database's, which no log's hash covers
  --to TIME            the same; not included
  --threads N          that read certificates; 0 for none         one a core, where it is worth it
  --data FOLDER        the installation, whose keys sign          CHANCERY_DATA, or ./.chancery
  --database-url URL   its PostgreSQL, if not the embedded one    CHANCERY_DATABASE_URL

entries       --log rekor|rekor-v2, and what the search takes, with its meaning: --digest, --image, --key, --san, --san-prefix, --san-glob,
              --san-domain, --issuer, --kind, --predicate-type, --subject-digest, --subject-name, --source-repository-uri
              and every other field of a certificate. One of a flag's values, of each flag
certificates  --san, --issuer, --subject, --serial, --key-hash; --federated-issuer URL, as often as there are: one that is configured
              with issuer-claim, or a pattern of such, whose certificates name who vouched in its place
refusals      --issuer, --subject, --code. Ends two minutes ago at the latest: counts of a storm are written up to one late

chancery export verify --help says what verify checks. Exit codes: 0 done, 1 failed, 2 told something impossible.
`;

const FLAGS = {
  ...FILTER_FLAGS,
  out: { type: "string" },
  format: { type: "string" },
  resume: { type: "boolean" },
  threads: { type: "string" },
  "federated-issuer": { type: "string", multiple: true },
  data: { type: "string" },
  "database-url": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

type Flags = ReturnType<typeof parseFlags<typeof FLAGS>>;

const KINDS: readonly Kind[] = ["entries", "certificates", "refusals"];

/** `chancery export`: resolves with the exit code. */
export async function exportCommand(
  [what, ...argv]: readonly string[],
  environment: Environment,
  terminal: Terminal,
): Promise<number> {
  if (what === "verify") {
    const { verifyCommand } = await import("./verify-command.ts");
    return verifyCommand(argv, environment, terminal);
  }
  const kind = KINDS.find((name) => name === what);
  if (kind === undefined && what?.startsWith("-") === false) throw unknownKind();
  const flags = parseFlags(kind === undefined && what !== undefined ? [what, ...argv] : argv, FLAGS);
  if (flags.help === true) {
    terminal.out(USAGE);
    return 0;
  }
  if (kind === undefined) throw unknownKind();
  if (flags.out === undefined) throw new Misconfigured("--out", "is missing: the file to write");
  return await exportTo(flags.out, kind, flags, environment, terminal);
}

function unknownKind(): Misconfigured {
  return new Misconfigured("export", `say one of ${KINDS.join(", ")}, verify; see --help`);
}

async function exportTo(
  out: string,
  kind: Kind,
  flags: Flags,
  environment: Environment,
  terminal: Terminal,
): Promise<number> {
  // All that can be wrong with the flags is said before a database is opened.
  const [filters, format] = [readFilters(kind, flags, Date.now()), formatOf(kind, flags)];
  const threads = threadsOf(flags);
  if (flags.resume === true) await checkResumable(out, flags);
  const secret = await stateSecret(flags, environment);
  const begun = flags.resume === true ? await resumed(out, kind, secret) : undefined;
  if (flags.resume === true && begun === undefined) {
    terminal.out(`${out}: is whole already\n`);
    return 0;
  }
  await using opened = new AsyncDisposableStack();
  const site = await openSite(flags, environment, opened, (text) => terminal.err(text));
  const file = opened.use(
    begun === undefined
      ? await ExportFile.create(out, secret, await begin(kind, format, filters, site))
      : await ExportFile.resume(out, secret),
  );
  const parsed = parseBegun(file.begun);
  await checkSameLogs(site.data, parsed.logs);
  for (const log of parsed.logs) checkExportedHead(log, await publicKeyIn(site.data, log.log));
  const source = await openSource(site, parsed, threads, flags["federated-issuer"]);
  if (!(await writeAll(file, source, kind, terminal))) return 1;
  await finish(file, parsed, source, site, out, terminal);
  return 0;
}

/** What only a process that may sign for this installation can have written bears an HMAC with it. */
async function stateSecret(flags: Flags, environment: Environment): Promise<Uint8Array> {
  const { data } = await resolveStorage({ data: flags.data, "database-url": flags["database-url"] }, environment);
  await readInstallation(data);
  return await secretIn(data, "export");
}

async function checkResumable(out: string, flags: Flags): Promise<void> {
  const given = [...Object.keys(FILTER_FLAGS), "format"].find(
    (name) => (flags as Record<string, unknown>)[name] !== undefined,
  );
  if (given !== undefined) throw new Misconfigured(`--${given}`, "was said when the export began; not with --resume");
  if ((await isBegun(out)) || (await isFinished(out))) return;
  throw new Misconfigured("--resume", `no export to ${out} was begun`);
}

/** Undefined where nothing is left to do. */
async function resumed(out: string, kind: Kind, secret: Uint8Array): Promise<Begun | undefined> {
  const begun = await ExportFile.begunAt(out, secret);
  if (begun === undefined) return undefined;
  const parsed = parseBegun(begun);
  if (parsed.kind !== kind) throw new Misconfigured("--resume", `${out} was begun with ${parsed.kind}`);
  return parsed;
}

function formatOf(kind: Kind, { format = "jsonl" }: Flags): Begun["format"] {
  if (format === "jsonl" || format === "csv" || (format === "bare" && kind === "entries")) return format;
  throw new Misconfigured("--format", `${format} is none of jsonl, csv${kind === "entries" ? ", bare" : ""}`);
}

function threadsOf({ threads }: Flags): number | undefined {
  if (threads === undefined) return undefined;
  if (!/^\d{1,2}$/.test(threads)) throw new Misconfigured("--threads", "is not a number from 0 to 99");
  return Number(threads);
}

async function begin(
  kind: Kind,
  format: Begun["format"],
  filters: ReturnType<typeof readFilters>,
  site: Site,
): Promise<Begun> {
  const created = `${new Date().toISOString().slice(0, 19)}Z`;
  const held =
    kind === "entries"
      ? await beginEntries(site, filters)
      : await (await ledgerExport()).beginLedger(site, kind, filters, Date.now);
  // Said in the manifest, for it is earlier than the export.
  const all = kind === "refusals" ? { ...filters.all, to: [new Date(held.range.to).toISOString()] } : filters.all;
  return { kind, format, created, filters: all, ...held };
}

async function openSource(
  site: Site,
  begun: Begun,
  threads: number | undefined,
  federated: readonly string[] = [],
): Promise<Source> {
  return begun.kind === "entries"
    ? await openEntries(site, begun, threads)
    : (await ledgerExport()).openLedger(site, begun, federated);
}

/** The ledger is the CA's, and all of the CA loads with it: half a second that entries do without. */
async function ledgerExport() {
  return await import("./ledger-export.ts");
}

/** False when it was interrupted: then all that is written is kept for `--resume`. */
async function writeAll(file: ExportFile, source: Source, kind: Kind, terminal: Terminal): Promise<boolean> {
  const bar = showBar(kind, process.stderr, (text) => terminal.err(text));
  let interrupted = false;
  const interrupt = () => (interrupted = true);
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    if (file.isEmpty) await file.append(utf8(source.head), 0, undefined);
    for await (const { bytes, count, position, done } of source.lines(file.position)) {
      await file.append(bytes, count, position);
      bar.progress(source.step, done, source.total);
      if (!interrupted) continue;
      await file.save();
      terminal.err(`\nchancery: interrupted; --resume goes on from here\n`);
      return false;
    }
    return true;
  } finally {
    process.removeListener("SIGINT", interrupt).removeListener("SIGTERM", interrupt);
    bar.done();
  }
}

async function finish(file: ExportFile, begun: Begun, source: Source, site: Site, out: string, terminal: Terminal) {
  const { count, bytes, sha256 } = await file.finished();
  await checkSameLogs(site.data, source.logs);
  const { kind, format, created, filters } = begun;
  const signers = await Promise.all(
    source.logs.map(async ({ log }) =>
      manifestSigner(site.data, log, site.hostname, await publicKeyIn(site.data, log)),
    ),
  );
  const told = {
    kind,
    format,
    created,
    filters,
    count: String(count),
    bytes: String(bytes),
    sha256,
    logs: [...source.logs],
  };
  await file.publish(await signManifest(told, signers));
  const until = kind === "refusals" && filters["to"] !== undefined ? `, up to ${filters["to"][0]}` : "";
  terminal.out(`${out}: ${countedLines(count, kind)}, ${bytes.toLocaleString("en")} bytes${until}\n`);
  for (const line of source.logs.flatMap((log) => unheldWords(out, log))) terminal.out(line);
  terminal.out(`${manifestOf(out)}: signed by ${signers.map(({ log }) => log).join(" and ")}\n`);
}

/** What is signed for and was not held against the CT log is said here, too, and not in the manifest alone. */
function unheldWords(out: string, { unheld }: ExportedLog): string[] {
  if (unheld === undefined || unheld.count === "0") return [];
  const { count, first } = unheld;
  const named = first.slice(0, 3).join(", ");
  const others = Number(count) > 3 ? ", … (the manifest names a hundred)" : "";
  return [`${out}: ${count} of them NOT held against the CT log, which they name no entry of: ${named}${others}\n`];
}
