import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TlsWriter } from "@chancery/encoding";
import type { Queryable } from "@chancery/postgres";
import { afterEach, beforeEach } from "vitest";
import { authority, leafRequest, sct } from "../../../libs/x509/test/world.ts";
import { AlarmBook } from "../src/domain/alarm.ts";
import { type Certificate, readCertificate } from "../src/domain/certificate/certificate.ts";
import { LogFolder } from "../src/state/log-folder.ts";
import { settleable, SettledAlarms, settleAlarm } from "../src/state/settled-alarms.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import { CertificateWatch } from "../src/watch/certificate-watch.ts";
import { LogWatch } from "../src/watch/log-watch.ts";
import { PromisedCertificates } from "../src/watch/promised-certificates.ts";
import { DrawnLog } from "./drawn-log.ts";

export const ISSUED = leafRequest().notBefore.getTime();

/** The auditor's folder, and how long ago the first certificate was issued. */
export const auditing = { folder: "", elapsed: 0 };
const opened: LogFolder[] = [];
beforeEach(async () => {
  auditing.elapsed = 3_600_000;
  auditing.folder = await mkdtemp(join(tmpdir(), "auditor-certificates-"));
});
afterEach(async () => {
  for (const folder of opened.splice(0)) await folder[Symbol.asyncDispose]();
  // That an alarm is over is written without anyone waiting for it.
  await rm(auditing.folder, { recursive: true, force: true, maxRetries: 10 });
});

export const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

type Request = ReturnType<typeof leafRequest>;

export interface Installation {
  readonly log: DrawnLog;
  readonly chain: Certificate[];
  /** What stands beside each leaf. */
  readonly extras: Uint8Array[];
  readonly ledger: Record<string, unknown>[];
  issue(
    request?: Request,
    delay?: number,
  ): Promise<{ readonly precertificate: Uint8Array; readonly tbs: Uint8Array; readonly certificate: Uint8Array }>;
  submit(precertificate: Uint8Array, tbs: Uint8Array, time: number): void;
  readonly asked: string[];
  readonly db: Queryable;
  fetch(url: string): Promise<Response>;
}

/** A CA, the log it shows its certificates to, and its ledger. */
export async function installation(): Promise<Installation> {
  const ca = await authority();
  const issuer = readCertificate(ca.intermediate.der);
  const root = readCertificate(ca.root.der);
  const log = new DrawnLog([]);
  const [key] = log.log.identity.keys;
  const logId = hashOf(key!.export({ type: "spki", format: "der" }));
  const extras: Uint8Array[] = [];
  const ledger: Record<string, unknown>[] = [];

  const submit = (precertificate: Uint8Array, tbs: Uint8Array, time: number) => {
    const entry = new TlsWriter().uint16(0).uint64(BigInt(time)).uint16(1).bytes(hashOf(issuer.spki)).opaque24(tbs);
    log.leaves.push(entry.opaque16(new Uint8Array()).finish());
    const chain = new TlsWriter().opaque24(issuer.der).opaque24(root.der).finish();
    extras.push(new TlsWriter().opaque24(precertificate).opaque24(chain).finish());
  };
  const issue = async (request = leafRequest(), delay = 500) => {
    const { der: precertificate, tbs } = await ca.issuer.precertificate(request);
    const time = ISSUED + delay;
    const signed = new TlsWriter().uint16(0).uint64(BigInt(time)).uint16(1).bytes(hashOf(issuer.spki)).opaque24(tbs);
    const signature = await log.signer.sign(signed.opaque16(new Uint8Array()).finish());
    const written = new TlsWriter().uint16(0x0403).opaque16(signature).finish();
    const certificate = await ca.issuer.certificate(request, [sct({ logId, timestamp: time, signature: written })]);
    const { serial, spki } = readCertificate(certificate);
    ledger.push({
      time: BigInt(time + ledger.length),
      ct_index: BigInt(log.leaves.length),
      serial: Uint8Array.fromHex(serial.toHex().replace(/^(00)+/, "")),
      certificate_hash: hashOf(certificate),
      key_hash: hashOf(spki),
      claims_hash: hashOf(Buffer.from("claims")),
      issuer: "https://issuer.example.com",
      subject: "subject",
      san_type: "email",
      san: "dev@example.com",
      would_refuse: null,
      certificate,
    });
    submit(precertificate, tbs, time);
    return { precertificate, tbs, certificate };
  };
  const query = async (sql: string, [first]: readonly unknown[] = []) => {
    if (sql.includes("ANY")) return ledger;
    if (sql.includes("time = $1")) return ledger.filter(({ time }) => time === first);
    return ledger.filter(({ time }) => (time as bigint) > (first as bigint));
  };
  const asked: string[] = [];
  const fetch = async (url: string) => {
    asked.push(url);
    const { searchParams } = new URL(url);
    const [start, end] = [Number(searchParams.get("start")), Number(searchParams.get("end"))];
    const entries = log.leaves.slice(start, end + 1).map((leaf, at) => ({
      leaf_input: Buffer.from(leaf).toString("base64"),
      extra_data: Buffer.from(extras[start + at]!).toString("base64"),
    }));
    return Response.json({ entries });
  };
  return { log, chain: [issuer, root], extras, ledger, issue, submit, asked, db: { query } as Queryable, fetch };
}

export const now = () => ISSUED + auditing.elapsed;

export async function watching(
  { log, chain, db, fetch }: Pick<Installation, "log" | "chain" | "db" | "fetch">,
  {
    name = log.log.name,
    book = undefined as AlarmBook | undefined,
    federated = "https://dex.example.com",
    pause = async (_spentMs: number, _isFirst: boolean) => {},
  } = {},
) {
  const state = await StateFolder.open(auditing.folder);
  const alarms = book ?? new AlarmBook(state, await state.alarms(), [], now);
  const folder = await LogFolder.open(join(auditing.folder, "logs", name));
  opened.push(folder);
  const watch = new LogWatch({ ...log.log, name }, [log.served()], folder, { report: alarms, now });
  const around = { way: { fetch }, ctLog: "own" as const, report: alarms, now, db, authorities: () => [chain] };
  const promised = new PromisedCertificates(state);
  const certificates = new CertificateWatch(watch, {
    ...around,
    promised,
    settled: new SettledAlarms(auditing.folder),
    isFederated: (issuer) => issuer === federated,
    pause,
    pauseInLedger: pause,
  });
  const pass = async () => {
    await log.publish();
    await watch.pass();
    await certificates.checkNew();
    return alarms.open.map(({ trouble, what }) => `${trouble}: ${what}`).toSorted();
  };
  return {
    pass,
    look: () => watch.pass(),
    alarms,
    promised,
    checkNew: () => certificates.checkNew(),
    checkAllLogged: () => certificates.checkAllLogged(),
    checkAllLedgered: () => certificates.checkAllLedgered(),
    checkAll: async () => {
      await certificates.checkAllLogged();
      await certificates.checkAllLedgered();
    },
  };
}

/** The operator's word on every alarm that can be settled. */
export async function settleAll(because: string): Promise<void> {
  for (const { id } of await settleable(auditing.folder)) await settleAlarm(auditing.folder, id, because, now());
}

export const serial = (last: number) => Uint8Array.from({ length: 20 }, (_, at) => (at === 19 ? last : 1));
