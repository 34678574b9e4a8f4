import { createPublicKey } from "node:crypto";
import { access, constants, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { countedEntries } from "@chancery/encoding";
import { parsePublicKey, type PublicKey, publicKeyFromKeyObject } from "@chancery/crypto";
import { Fault, Misconfigured, Unverified } from "@chancery/fault";
import { z } from "zod";
import { showBar } from "../fsck/progress-bar.ts";
import { readInstallation } from "../installation-file.ts";
import { logNamesOf } from "../log-origins.ts";
import { printable } from "../printable.ts";
import { type Environment, resolveStorage } from "../settings-sources.ts";
import { countedLines } from "./begun.ts";
import { checkExportedHead } from "./log-keys.ts";
import { type ExportedLog, type VerifiedManifest, verifyManifest } from "./manifest.ts";
import { verifyFile } from "./verify-file.ts";

const USAGE = `usage: chancery export verify FILE MANIFEST --key PEM|--trusted-root FILE|--data FOLDER

Holds FILE against MANIFEST, and MANIFEST against the keys of the logs it is of: its signatures, the checkpoints in it,
the file's SHA-256, size and number of lines; of JSON Lines also the order, each body and certificate against its hash,
and of whole logs the root from all entries. Asks nobody. Exit codes: 0 holds, 1 does not, 2 could not be read.

  --key PEM              the public key of a log (URL/trust/rekor.pub); as often as there are logs
  --trusted-root FILE    the keys in a trusted_root.json
  --data FOLDER          the keys of this installation
`;

const FLAGS = {
  key: { type: "string", multiple: true },
  "trusted-root": { type: "string" },
  data: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

/** `chancery export verify`: resolves with the exit code. */
export async function verifyCommand(
  argv: readonly string[],
  environment: Environment,
  terminal: Terminal,
): Promise<number> {
  const { values: flags, positionals } = parse(argv);
  if (flags.help === true) {
    terminal.out(USAGE);
    return 0;
  }
  const [path, manifestPath, extra] = positionals;
  if (path === undefined || manifestPath === undefined || extra !== undefined) {
    throw new Misconfigured("export verify", "say a file and its manifest; see --help");
  }
  const keys = await readKeys(flags, environment);
  const note = await readInput(manifestPath);
  await readable(path);
  let manifest: VerifiedManifest;
  try {
    manifest = verifyManifest(note, keys);
    checkHeads(manifest);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    terminal.out(`${manifestPath}: DOES NOT HOLD: ${printable(error.message)}\n`);
    return 1;
  }
  return await verifyAgainst(path, manifest, terminal);
}

async function verifyAgainst(path: string, manifest: VerifiedManifest, terminal: Terminal): Promise<number> {
  const bar = showBar("verify", process.stderr, (text) => terminal.err(text));
  const verdict = await verifyFile(path, manifest, (done, total) => bar.progress("bytes", done, total)).finally(() =>
    bar.done(),
  );
  if (verdict.findings.length > 0) {
    terminal.out(`${path}: DOES NOT HOLD\n${verdict.findings.map((finding) => `  ${finding}\n`).join("")}`);
    return 1;
  }
  const { count, kind, created, filters, logs } = manifest;
  const chosen = Object.entries(filters).map(([name, values]) => printable(`${name} ${values.join(" or ")}`));
  terminal.out(
    [
      `${path}: holds: ${countedLines(Number(count), kind)}, exported ${created}`,
      `  chosen    ${chosen.length === 0 ? "all" : chosen.join(", ")}`,
      ...logs.map(
        (log) =>
          `  ${log.log.padEnd(9)} ${log.origin}, ${countedEntries(log.size)}, root ${log.root}${rangeOf(manifest, log)}`,
      ),
      ...(kind === "certificates" ? logs.flatMap((log) => [heldWords(log), completeness(log)]) : []),
      `  checked   signatures, checkpoints, ${verdict.checked.join(", ")}`,
      "",
    ].join("\n"),
  );
  return 0;
}

/** These choose a log, or a range of it; every other filter chooses entries of that range. */
const RANGE_FILTERS: ReadonlySet<string> = new Set(["log", "from", "to"]);

/** What was looked at: which entries a time range came to is the signer's to say, for no hash covers their times. */
function rangeOf({ kind, filters }: VerifiedManifest, { from, to, size }: ExportedLog): string {
  if (kind !== "entries" || from === undefined || to === undefined) return "";
  if (from === to) return ", none of them";
  const range = from === "0" && to === size ? "all of them" : `those from index ${from} to ${BigInt(to) - 1n}`;
  const isChosen = Object.keys(filters).some((name) => !RANGE_FILTERS.has(name));
  if (isChosen) return `, chosen from ${range}`;
  return from === "0" && to === size ? ", all of them" : `, of them ${range}`;
}

/** Whether each line's certificate is in the CT log: the signer held it against that. */
function heldWords({ unheld, size }: ExportedLog): string {
  if (unheld === undefined) return "  held      not said: a version of before made it";
  if (unheld.count === "0")
    return `  held      the certificate of each line is in the CT log of ${countedEntries(size)}`;
  const those = `those carry no timestamp of it, or name no entry of it, or cannot be read: ${namesOf(unheld)}`;
  return `  held      in the CT log of ${countedEntries(size)} are the certificates of all lines but ${unheld.count}; ${those}`;
}

function namesOf({ count, first }: NonNullable<ExportedLog["unheld"]>): string {
  return `${first.join(", ")}${BigInt(count) > BigInt(first.length) ? ", …" : ""}`;
}

/** Whether the ledger may lack any: the signer held it against the CT log. */
function completeness({ from, to, size, missing }: ExportedLog): string {
  if (from === undefined || to === undefined) {
    return "  complete  not said: filters chose, and what they leave out is not held against the CT log";
  }
  const range = from === "0" && to === size ? "each entry" : `each entry from index ${from} to before ${to}`;
  if (missing === undefined) return `  complete  ${range} of the CT log has its line`;
  return `  complete  ${range} of the CT log has its line but for ${missing.count} (${namesOf(missing)}): the CA ended between CT log and ledger, or rows were taken away`;
}

/** A checkpoint of the same key, so that two exports can be held against each other and against the log of today. */
function checkHeads({ logs, keys }: VerifiedManifest): void {
  for (const log of logs) {
    const key = keys.get(log.log);
    if (key === undefined) throw new Unverified(`manifest: nobody signed for ${log.log}`);
    checkExportedHead(log, key);
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true });
  } catch (error) {
    throw new Misconfigured("command line", (error instanceof Error ? error.message : "").split(". ", 1)[0] ?? "");
  }
}

async function readKeys(
  { key, "trusted-root": trustedRoot, data }: ReturnType<typeof parse>["values"],
  environment: Environment,
): Promise<PublicKey[]> {
  if (key !== undefined) return await Promise.all(key.map((path) => readKey(path)));
  if (trustedRoot !== undefined) return await readTrustedRoot(trustedRoot);
  if (data === undefined)
    throw new Misconfigured("--key", "say whose signature it has to be: --key, --trusted-root or --data");
  const settings = await resolveStorage({ data }, environment);
  const installation = await readInstallation(settings.data);
  return await Promise.all(logNamesOf(installation).map((log) => readKey(join(settings.data, "keys", `${log}.pem`))));
}

async function readKey(path: string): Promise<PublicKey> {
  try {
    // Of a private key the public half is taken.
    return publicKeyFromKeyObject(createPublicKey(await readFile(path)), path);
  } catch (cause) {
    throw new Misconfigured("--key", `${path} is no key in PEM that can be read`, { cause });
  }
}

const logKey = z.object({ publicKey: z.object({ rawBytes: z.base64() }) });
const trustedRootJson = z.object({ tlogs: z.array(logKey).default([]), ctlogs: z.array(logKey).default([]) });

async function readTrustedRoot(path: string): Promise<PublicKey[]> {
  try {
    const { tlogs, ctlogs } = trustedRootJson.parse(JSON.parse(await readFile(path, "utf8")));
    return [...tlogs, ...ctlogs].map(({ publicKey }) =>
      parsePublicKey(Buffer.from(publicKey.rawBytes, "base64"), "key"),
    );
  } catch (cause) {
    throw new Misconfigured("--trusted-root", `${path} is no trusted_root.json that can be read`, { cause });
  }
}

/** Some hundred logs, each with its checkpoint. */
const MAX_MANIFEST_BYTES = 128 * 1024;

async function readInput(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new Misconfigured(path, "cannot be read", { cause });
  });
  if (bytes.length > MAX_MANIFEST_BYTES) throw new Misconfigured(path, "is larger than any manifest");
  return new Uint8Array(bytes);
}

async function readable(path: string): Promise<void> {
  await access(path, constants.R_OK).catch((cause: unknown) => {
    throw new Misconfigured(path, "cannot be read", { cause });
  });
}
