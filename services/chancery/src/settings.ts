import { isIP } from "node:net";
import { resolve } from "node:path";
import { readPassphraseFile } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import type { FulcioConfig } from "@chancery/fulcio";
import type { GrpcOptions, TlsOptions } from "@chancery/service";
import { type ReadersSettings, readersSettings } from "./access/readers-settings.ts";
import { type AuditorSettings, auditorSettings } from "./auditor-settings.ts";
import type { AuthorityFiles } from "./authority/own-files.ts";
import type { ConfigFile, OwnSection } from "./config-file.ts";
import { type FulcioSettings, fulcioSettings } from "./fulcio-settings.ts";
import { type RekorSettings, rekorSettings } from "./rekor-settings.ts";
import type { RekorV2Key } from "./installation.ts";
import { isLoopbackHost } from "./loopback.ts";
import {
  type Chosen,
  databaseUrl,
  type Environment,
  type Folders,
  folders,
  openSources,
  PASSPHRASE,
  type ServeFlags,
  type Storage,
  type Told,
} from "./settings-sources.ts";

export type { Environment, ServeFlags } from "./settings-sources.ts";

/** All that one process of Chancery is told. Nothing else reads the environment. */
export interface Settings extends Storage {
  readonly host: string;
  readonly port: number;
  /** Public origin without a trailing slash; it stands in the trust material. */
  readonly url: string;
  /** Refuse a database of one's own whose role could do more than a service needs. */
  readonly databaseLeastPrivilege: boolean;
  /** Undefined: development mode, in which our own identity provider is the one issuer. */
  readonly issuers: FulcioConfig["issuers"] | undefined;
  /** Undefined: the CA that the installation made, or its intermediate below a root elsewhere. */
  readonly authorityFiles: AuthorityFiles | undefined;
  readonly logLevel: NonNullable<OwnSection["log-level"]>;
  readonly accessLog: boolean;
  readonly metrics: { readonly port: number; readonly host: string } | undefined;
  /** Undefined: nothing is served over gRPC. */
  readonly grpc: GrpcOptions | undefined;
  /** Undefined: HTTP in the clear, for a proxy in front. */
  readonly tls: TlsOptions | undefined;
  readonly fulcio: FulcioSettings;
  readonly rekor: RekorSettings;
  /** Undefined: whatever the v2 log's key is. */
  readonly rekorV2Key: RekorV2Key | undefined;
  /** Undefined: no auditor runs in this process. */
  readonly auditor: AuditorSettings | undefined;
  /** Undefined: everyone may read. */
  readonly readers: ReadersSettings | undefined;
  /** What is read anew while the process runs. */
  readonly configFile: ConfigFile | undefined;
  /** Throws Misconfigured for a file that the next start would refuse. */
  readonly check: (anew: ConfigFile) => Promise<void>;
}

/** What can be asked of a file again and again: a passphrase or password may be there for the start alone. */
type Checked = Omit<Settings, "databaseUrl" | "authorityFiles" | "check">;

/** The part of them that a folder is made by. */
export interface InstallationSettings extends Folders, Pick<Settings, "authorityFiles" | "rekorV2Key"> {
  /** Undefined: nobody said a URL. */
  readonly hostname: string | undefined;
}

/** Flag over variable over file over default. Throws Misconfigured with the name the value came in by. */
export async function resolveSettings(flags: ServeFlags, environment: Environment): Promise<Settings> {
  const sources = await openSources(flags, environment);
  const { chosen } = sources;
  return {
    ...(await checked(sources)),
    databaseUrl: databaseUrl(chosen("database-url", ""), environment),
    authorityFiles: await authorityFiles(chosen, environment),
    check: async (anew) => {
      await checked(await openSources(flags, environment, anew));
    },
  };
}

async function checked({ file, own, chosen, told }: Awaited<ReturnType<typeof openSources>>): Promise<Checked> {
  const port = parsePort(chosen("port", "8700"));
  const host = parseHost(chosen("host", "127.0.0.1"));
  const { data, anchor } = folders(chosen);
  const url = parseOrigin(chosen("url", `${file?.own.tls === undefined ? "http" : "https"}://localhost:${port}`));
  const settings: Checked = {
    host,
    port,
    url,
    data,
    anchor,
    databaseLeastPrivilege: own["database-least-privilege"] ?? false,
    issuers: file?.issuers,
    logLevel: own["log-level"] ?? "info",
    accessLog: own["access-log"] ?? false,
    metrics: own.metrics === undefined ? undefined : { port: own.metrics.port, host: own.metrics.host ?? "127.0.0.1" },
    grpc: grpcOptions(told("grpc-port"), file, host),
    fulcio: await fulcioSettings(file?.fulcio ?? {}),
    rekor: await rekorSettings(file, url),
    rekorV2Key: own.rekor?.["v2-log-key"],
    readers: await readersSettings(file, url),
    auditor: auditorSettings(told("auditor"), own.auditor ?? {}, data, (path) => file?.resolve(path) ?? resolve(path)),
    configFile: file,
    tls: file?.own.tls && { certificate: file.resolve(file.own.tls.certificate), key: file.resolve(file.own.tls.key) },
  };
  refuseUnshownCertificates(settings);
  const [toldHost, toldUrl] = [chosen("host", ""), chosen("url", "")];
  if (settings.issuers === undefined) refuseOpenDevelopment(settings, { host: toldHost.key, url: toldUrl.key });
  else if (toldUrl.value === "") refuseGuessedUrl(settings);
  return settings;
}

/** By the same rules, for who makes a folder and serves nothing yet. */
export async function resolveInstallationSettings(
  flags: ServeFlags,
  environment: Environment,
): Promise<InstallationSettings> {
  const { own, chosen } = await openSources(flags, environment);
  const url = chosen("url", "");
  return {
    ...folders(chosen),
    hostname: url.value === "" ? undefined : new URL(parseOrigin(url)).hostname,
    authorityFiles: await authorityFiles(chosen, environment),
    rekorV2Key: own.rekor?.["v2-log-key"],
  };
}

/** Where everything else listens, unless it is told another host. */
function grpcOptions(told: Told | undefined, file: ConfigFile | undefined, host: string): GrpcOptions | undefined {
  const section = file?.own.grpc;
  const port = told === undefined ? section?.port : parsePort(told);
  if (port === undefined) return undefined;
  const tls = section?.tls;
  return {
    port,
    host: section?.host ?? host,
    ...(tls === undefined || file === undefined
      ? {}
      : { tls: { certificate: file.resolve(tls.certificate), key: file.resolve(tls.key) } }),
  };
}

async function authorityFiles(chosen: Chosen, environment: Environment): Promise<AuthorityFiles | undefined> {
  const [key, chain, file] = [chosen("ca-key", ""), chosen("ca-chain", ""), chosen("ca-passphrase-file", "")];
  const direct = environment[PASSPHRASE] ?? "";
  if (key.value === "" && chain.value === "") {
    const alone = file.value === "" ? direct && PASSPHRASE : file.key;
    if (alone !== "") throw new Misconfigured(alone, "needs CHANCERY_CA_KEY and CHANCERY_CA_CHAIN");
    return undefined;
  }
  if (key.value === "") throw new Misconfigured(chain.key, "needs CHANCERY_CA_KEY, the file of its key");
  if (chain.value === "") throw new Misconfigured(key.key, "needs CHANCERY_CA_CHAIN, the file of its certificates");
  if (file.value !== "" && direct !== "") throw new Misconfigured(file.key, `${PASSPHRASE} says a passphrase already`);
  const passphrase = file.value === "" ? direct || undefined : await readPassphraseFile(resolve(file.value));
  return { key: resolve(key.value), chain: resolve(chain.value), passphrase };
}

function parsePort({ key, value }: Told): number {
  const port = Number(value);
  if (!/^\d{1,5}$/.test(value) || port < 1 || port > 65_535) {
    throw new Misconfigured(key, `${value} is not a port from 1 to 65535`);
  }
  return port;
}

function parseHost({ key, value }: Told): string {
  if (isIP(value) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(value)) {
    throw new Misconfigured(key, `${value} is neither an IP address nor a host name`);
  }
  return value;
}

function parseOrigin({ key, value }: Told): string {
  const url = URL.parse(value);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new Misconfigured(key, `${value} is not an absolute http or https URL`);
  }
  if (url.username !== "" || url.password !== "") throw new Misconfigured(key, "must not carry a user or a password");
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "" || /[?#]$/.test(value)) {
    throw new Misconfigured(key, `${value} must be an origin: clients need the services at the root of their host`);
  }
  return url.origin;
}

/** A client certificate is seen only where this process ends TLS itself. */
function refuseUnshownCertificates({ rekor: { admission = {} }, tls, grpc }: Checked): void {
  if (tls !== undefined) return;
  for (const name of ["rekor", "rekor-v2"] as const) {
    const callers = admission[name]?.callers;
    if (callers === undefined || callers.certificates.length === 0) continue;
    if (name === "rekor-v2" && grpc?.tls !== undefined) continue;
    throw new Misconfigured(
      `chancery.rekor.admission.${name}.callers.certificates`,
      "needs chancery.tls: behind a proxy that ends TLS nobody can show a certificate here",
    );
  }
}

/** What listens for others is called by a name that only its operator knows. */
function refuseGuessedUrl({ host }: Checked): void {
  if (isLoopbackHost(host)) return;
  throw new Misconfigured(
    "CHANCERY_URL",
    `must be said when listening beyond loopback (${host}): it is written into all trust material, for ever`,
  );
}

/** The development identity provider lets anyone be anyone, so nobody beyond this machine may reach it. */
function refuseOpenDevelopment(settings: Checked, keys: { readonly host: string; readonly url: string }): void {
  const way = "name your issuers in the file given as CHANCERY_CONFIG";
  if (!isLoopbackHost(settings.host)) {
    throw new Misconfigured(
      keys.host,
      `${settings.host} is reachable from other machines and no issuers are configured, so anyone there could sign as anyone; ${way}, or listen on 127.0.0.1`,
    );
  }
  for (const name of ["grpc", "metrics"] as const) {
    const host = settings[name]?.host ?? settings.host;
    if (isLoopbackHost(host)) continue;
    throw new Misconfigured(
      `chancery.${name}.host`,
      `${host} is reachable from other machines, and without issuers nothing is, because anyone could sign as anyone; ${way}, or leave it on 127.0.0.1`,
    );
  }
  if (settings.tls !== undefined) {
    throw new Misconfigured(
      "chancery.tls",
      `the CA could not ask the development identity provider for its keys: it would not know this certificate; ${way}, or leave it out`,
    );
  }
  if (!isLoopbackHost(new URL(settings.url).hostname)) {
    throw new Misconfigured(
      keys.url,
      `${settings.url} is no name of this machine alone and no issuers are configured, so anyone who can reach it could sign as anyone; ${way}, or use http://localhost:${settings.port}`,
    );
  }
}
