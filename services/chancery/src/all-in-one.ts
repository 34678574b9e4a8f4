import { createServer } from "node:net";
import { join } from "node:path";
import { auditApi, AuditorModule } from "@chancery/auditor";
import { CertificateTransparencyLog, CtLogModule } from "@chancery/ctlog";
import { sha256 } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import { ExplorerModule } from "@chancery/explorer";
import { Misconfigured } from "@chancery/fault";
import {
  CurrentIssuers,
  type FulcioLinks,
  FulcioModule,
  issuanceApi,
  IssuerSignatures,
  type OwnCtLog,
  PostgresIssuanceHistory,
  PostgresIssuanceLedger,
} from "@chancery/fulcio";
import type { TokenKeys } from "@chancery/identity";
import type { TransparencyLog } from "@chancery/log";
import { type AdmissionRules, RekorModule, RekorV2Module, rekorV2Origin, SearchModule, v2LogId } from "@chancery/rekor";
import { createService, type Logger, Metrics, type RunningService } from "@chancery/service";
import { type TrustMaterial, trustMaterial, TrustModule, TufRepository } from "@chancery/trust";
import { TsaModule } from "@chancery/tsa";
import type { Certificate } from "@chancery/x509";
import { mountSession } from "./access/login-routes.ts";
import { openReaders } from "./access/open-readers.ts";
import { admissionRules, describeAdmission } from "./admission-settings.ts";
import { about } from "./about.ts";
import { AuditorBeside } from "./auditor-beside.ts";
import { type Authority, openAuthority } from "./authority/authority.ts";
import { loadAuthorityFiles } from "./authority/own-files.ts";
import type { BannerFacts } from "./banner.ts";
import type { ConfigFile } from "./config-file.ts";
import { fulcioConfig } from "./fulcio-config.ts";
import { developmentIssuer } from "./idp/development-issuer.ts";
import { createIdentityProvider } from "./idp/identity-provider.ts";
import { mountIdentityProvider } from "./idp/identity-provider-routes.ts";
import { alone } from "./installation-file.ts";
import { confirmLogs, type Installation, openInstallation, OWN_AUTHORITY } from "./installation.ts";
import { IssuerReload } from "./issuer-reload.ts";
import { keyUseIn } from "./key-use.ts";
import { narratedLedger } from "./narrated-ledger.ts";
import { type Logs, openLogs } from "./open-logs.ts";
import { describeDatabase, onOwnDatabase } from "./own-database.ts";
import { openServiceDatabase } from "./service-database.ts";
import { describeShards } from "./rekor-shards.ts";
import type { Settings } from "./settings.ts";

export interface RunningStack extends AsyncDisposable {
  readonly service: RunningService;
  readonly facts: BannerFacts;
  /** Reads the issuers anew, if there is a file of them. */
  readonly reload: () => Promise<void>;
}

export interface StackOptions {
  readonly logger: Logger;
  readonly progress?: (text: string) => void;
}

/**
 * Everything in one process on one origin. What was opened is closed in the opposite order: first no more
 * requests, then the logs, then the database, PostgreSQL last.
 */
export async function startStack(
  settings: Settings,
  { logger, progress = () => {} }: StackOptions,
): Promise<RunningStack> {
  await using opened = new AsyncDisposableStack();
  await requireFreePort(settings.host, settings.port);
  progress("opening the installation");
  const { installation, authority } = await openKeys(settings, new Date());
  const identityProvider = developmentProvider(settings);

  const db = await openServiceDatabase(settings, opened, { logger, progress });
  progress("opening the logs");
  const logs = await openLogs(db, settings, installation, opened, logger);
  if (installation.awaitsLogs.length > 0) await confirmLogs(settings.data);

  const ledger = await onOwnDatabase(settings.databaseUrl, PostgresIssuanceLedger.open(db));

  progress("starting the services");
  const [idp, auditor] = [await identityProvider, new AuditorBeside(settings)];
  const material = trustMaterial(trustedParties(settings, installation, authority, logs));
  const issuerKeys: TokenKeys = { verify: (token) => service.app.get(IssuerSignatures).verify(token) };
  const readers = await openReaders(settings, issuerKeys);
  const fulcioLog = logger.child({ from: "fulcio" });
  const service: RunningService = await createService({
    host: settings.host,
    port: settings.port,
    logger,
    accessLog: settings.accessLog,
    ...(settings.metrics === undefined ? {} : { metrics: settings.metrics }),
    ...(settings.grpc === undefined ? {} : { grpc: settings.grpc }),
    tls: settings.tls,
    clientAuthorities: clientAuthorities(settings),
    readAccess: auditor.admitted(readers?.access),
    mount: (fastify) => {
      if (idp !== undefined) mountIdentityProvider(fastify, idp);
      mountSession(fastify, readers);
    },
    modules: [
      ...modules(settings, installation, authority, logs, {
        material,
        ledger: narratedLedger(ledger, fulcioLog),
        history: new PostgresIssuanceHistory(db),
        keyUse: keyUseIn([logs.rekor.log, ...logs.inactive.map(({ log }) => log), logs.rekorV2]),
        warn: (text) => fulcioLog.warn(text),
        issuerKeys,
      }),
      AuditorModule.forRoot(auditor.config(installation, db, () => service, material)),
      ExplorerModule.forRoot({ about: () => about(bannerFacts(settings, installation, service)) }),
    ],
  });
  opened.defer(() => service.close());
  if (settings.fulcio.ctLog === "own") service.readiness.add("fulcio", async () => whyNotIssuing(logs.ctlog));
  const { issuers, configFile, check } = settings;
  const reload = issuers && configFile && opened.use(reloadIssuers(configFile, check, service, logger));
  for (const { service: from, warning } of service.readiness.warnings()) logger.child({ from }).warn(warning);
  const all = opened.move();
  return {
    service,
    facts: bannerFacts(settings, installation, service),
    reload: async () => reload?.reload(),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

function developmentProvider({ issuers, url }: Settings) {
  return issuers === undefined ? createIdentityProvider(developmentIssuer(url)) : undefined;
}

function reloadIssuers(
  file: ConfigFile,
  check: Settings["check"],
  { app, readiness }: RunningService,
  logger: Logger,
): IssuerReload {
  const [issuers, metrics] = [app.get(CurrentIssuers), app.get(Metrics)];
  const reload = new IssuerReload({ file, issuers, check, metrics, logger: logger.child({ from: "configuration" }) });
  readiness.warn("configuration", () => reload.warning());
  return reload;
}

/** Certificates go into the CT log before they leave. */
function whyNotIssuing(ctlog: TransparencyLog): string | undefined {
  return ctlog.state.frozen ? "its CT log is frozen: name another one, or none, in chancery.fulcio.ct-log" : undefined;
}

/** A CA in files of the operator's is looked at first: a mistake there must not leave a folder that is bound to it. */
async function openKeys(settings: Settings, now: Date) {
  const { data, url, authorityFiles, rekorV2Key } = settings;
  const files = authorityFiles && (await loadAuthorityFiles(authorityFiles, now));
  const plan = files === undefined ? OWN_AUTHORITY : { kind: "files" as const };
  const installation = await openInstallation(settings, new URL(url).hostname, now, plan, rekorV2Key);
  const { created } = installation;
  const authority = await alone(data, () => openAuthority({ directory: data, created, files, now }));
  return { installation, authority };
}

/** Of both logs: which of them a certificate is good for is for the log to say. */
function clientAuthorities({ rekor: { admission = {} } }: Settings): string | undefined {
  const pem = Object.values(admission).map((one) => one.clientAuthorities);
  return pem.join("") === "" ? undefined : pem.join("\n");
}

/** Of every chain there ever was, each once: what was issued under an old one may still be submitted. */
function rootsOf({ generations }: Authority): Certificate[] {
  const roots = generations.flatMap(({ chain }) => chain.slice(-1));
  return [...new Map(roots.map((root) => [encodeHex(root.der), root])).values()];
}

function bannerFacts(
  { url, data, databaseUrl, issuers, rekor, readers, fulcio }: Settings,
  { shard, rekorShards }: Installation,
  { app, grpcAddress }: RunningService,
) {
  const root = app.get(TufRepository).file("root.json");
  if (root === undefined) throw new TypeError("the TUF repository has no root.json");
  return {
    url,
    shard,
    rekorShards: describeShards(rekorShards),
    ctLog: fulcio.ctLog,
    rootChecksum: encodeHex(sha256(root.bytes)),
    data,
    database: databaseUrl === undefined ? "embedded PostgreSQL" : describeDatabase(databaseUrl),
    identityProvider: issuers === undefined ? developmentIssuer(url) : undefined,
    issuers: (issuers === undefined ? [] : app.get(CurrentIssuers).settings).map(
      (issuer) => `${issuer.url} (client ${issuer.clientId})`,
    ),
    grpc: grpcAddress,
    restrictions: [
      ...Object.entries(rekor.admission ?? {}).map(
        ([log, rules]) => [`Writes to ${log}`, describeAdmission(rules)] as const,
      ),
      ...(readers === undefined ? [] : [["Reads", `by roles of ${readers.issuer}`] as const]),
    ],
  };
}

function modules(
  settings: Settings,
  installation: Installation,
  authority: Authority,
  logs: Logs,
  {
    material,
    issuerKeys,
    ...told
  }: Pick<FulcioLinks, "ledger" | "history" | "keyUse" | "warn"> & {
    readonly material: TrustMaterial;
    readonly issuerKeys: TokenKeys;
  },
) {
  const { shard, keys, tsaChain } = installation;
  const roots = rootsOf(authority);
  const issuing = authority.generations.flatMap(({ chain }) => chain.slice(0, 1));
  const admitted = (name: "rekor" | "rekor-v2") => {
    const rules = settings.rekor.admission?.[name];
    return { admission: rules && admissionRules(rules, issuing, issuerKeys) };
  };
  return [
    FulcioModule.forRoot(fulcioConfig(settings), {
      issuer: authority,
      ...ctLogLink(settings, () =>
        new CertificateTransparencyLog({ roots, log: logs.ctlog, signer: keys.ctlog }).ofIssuer(authority.chain),
      ),
      ...told,
    }),
    ...rekorModules(settings, installation, logs, admitted),
    CtLogModule.forRoot({ shard, roots }, { log: logs.ctlog, signer: keys.ctlog }),
    TsaModule.forRoot({}, { chain: tsaChain, signer: keys.tsa }),
    TrustModule.forRoot(
      { url: settings.url, directory: join(settings.data, "tuf"), floor: join(settings.anchor, "tuf") },
      {
        material,
        keys: { root: keys["tuf-root"], online: keys["tuf-online"] },
      },
    ),
  ];
}

/** Both APIs, and one search for their logs. */
function rekorModules(
  settings: Settings,
  { hostname, shard, keys }: Installation,
  logs: Logs,
  admitted: (name: "rekor" | "rekor-v2") => { readonly admission: AdmissionRules | undefined },
) {
  const origin = rekorV2Origin(hostname);
  const { keyAlgorithms } = settings.rekor;
  const { treeId, log, signer } = logs.rekor;
  const rekor = { log, signer, inactive: logs.inactive };
  const rekorV2 = { log: logs.rekorV2, signer: keys["rekor-v2"] };
  const others = [{ name: `ctlog/${shard}`, log: logs.ctlog, publicKey: keys.ctlog.publicKey }];
  return [
    RekorModule.forRoot({ ...settings.rekor, ...admitted("rekor"), hostname, treeId }, rekor),
    RekorV2Module.forRoot({ origin, ...(keyAlgorithms && { keyAlgorithms }), ...admitted("rekor-v2") }, rekorV2),
    SearchModule.forRoot({ treeId, origin }, { rekor, rekorV2, others, otherParts: [issuanceApi, auditApi] }),
  ];
}

function ctLogLink({ fulcio: { ctLog } }: Settings, own: () => OwnCtLog): Pick<FulcioLinks, "ctLog"> {
  if (ctLog === "none") return {};
  return { ctLog: ctLog === "own" ? own() : ctLog };
}

function trustedParties(
  settings: Settings,
  { created, shard, hostname, keys, tsaChain }: Installation,
  { generations }: Authority,
  logs: Logs,
) {
  const {
    url,
    fulcio: { ctLog },
  } = settings;
  const validFor = { start: created };
  const timestamps = `${url}/api/v1/timestamp`;
  const login = loginIssuer(settings);
  return {
    certificateAuthorities: generations.map((one) => ({ uri: url, ...one })),
    transparencyLogs: [...logs.inactive, logs.rekor].map((one) => ({
      baseUrl: url,
      publicKey: one.signer.publicKey,
      validFor: one.validFor,
    })),
    rekorV2Logs: [
      {
        baseUrl: url,
        publicKey: keys["rekor-v2"].publicKey,
        logId: v2LogId(rekorV2Origin(hostname), keys["rekor-v2"]),
        validFor,
      },
    ],
    // Ours stays trusted beside another: certificates of before carry its timestamps.
    ctLogs: [
      { baseUrl: `${url}/ctlog/${shard}`, publicKey: keys.ctlog.publicKey, validFor },
      ...(typeof ctLog === "string" ? [] : [{ baseUrl: ctLog.url, publicKey: ctLog.key, validFor }]),
    ],
    timestampAuthorities: [{ uri: timestamps, chain: tsaChain, validFor }],
    services: {
      operator: hostname,
      certificateAuthority: { url, validFor },
      // Nobody is sent to a log that takes nothing.
      transparencyLogs: ([1, 2] as const)
        .filter((version) => !(version === 1 ? logs.rekor.log : logs.rekorV2).state.frozen)
        .map((majorApiVersion) => ({ url, validFor, majorApiVersion })),
      timestampAuthority: { url: timestamps, validFor },
      ...(login === undefined ? {} : { identityProvider: { url: login, validFor } }),
    },
  };
}

/** Where a person without a token is sent: ours, or the one configured issuer that people log in to. */
function loginIssuer({ issuers, url }: Settings): string | undefined {
  if (issuers === undefined) return developmentIssuer(url);
  const people = issuers.filter(({ type, isPattern }) => type === "email" && !isPattern);
  return people.length === 1 ? people[0]?.url : undefined;
}

/** Said before anything is opened: most often it is a Chancery that runs already. */
async function requireFreePort(host: string, port: number): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "EADDRINUSE") {
      throw new Misconfigured("CHANCERY_PORT", `${port} on ${host} is taken; does Chancery run already?`, { cause });
    }
    // Whatever else is wrong is said by the real listener, which names it better.
  } finally {
    await new Promise((resolve) => probe.close(resolve));
  }
}
