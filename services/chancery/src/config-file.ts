import { dirname, resolve } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { type FulcioConfig, parseFulcioConfig, separateAliasKeys } from "@chancery/fulcio";
import { parseYaml, readConfigFile } from "@chancery/service";
import { z } from "zod";
import { READERS_KEYS, readersSection } from "./access/readers-section.ts";
import { ADMISSION_KEYS, admissionSection } from "./admission-section.ts";
import { REKOR_V2_KEYS } from "./installation.ts";

/*
 * The file named by CHANCERY_CONFIG: upstream Fulcio's own format, whose keys name the issuers, and beside
 * them one key of ours, `chancery`, for what the command line and the environment can also say.
 */

const port = z.int().min(1).max(65_535);

const METRICS = { port, host: z.string().min(1).optional() };

const GRPC_TLS = { certificate: z.string().min(1), key: z.string().min(1) };
const GRPC = { port, host: z.string().min(1).optional(), tls: z.strictObject(GRPC_TLS).optional() };

const CT_LOG = {
  /** Or `none`. */
  url: z.string().min(1),
  "public-key": z.string().min(1).optional(),
  "ca-cert": z.string().min(1).optional(),
  origin: z.string().min(1).optional(),
};
const RATES = { minute: z.int().min(1).optional(), hour: z.int().min(1).optional() };
const FULCIO = {
  "ct-log": z.preprocess((value) => (value === "none" ? { url: value } : value), z.strictObject(CT_LOG)).optional(),
  "client-signing-algorithms": z.array(z.string().min(1)).optional(),
  "certificates-per-identity": z.strictObject(RATES).optional(),
  /** To a year: what is good for longer is a password. */
  "longest-token-hours": z.int().min(1).max(8_784).optional(),
  "once-federated": z.array(z.string().min(1)).optional(),
};

/** As much as an entry may carry. */
const MAX_ATTESTATION_BYTES = 10 * 1024 * 1024;

const REKOR = {
  admission: z.strictObject({ rekor: admissionSection.optional(), "rekor-v2": admissionSection.optional() }).optional(),
  "entry-kinds": z.array(z.string().min(1)).optional(),
  "api-operations": z.array(z.string().min(1)).optional(),
  "client-signing-algorithms": z.array(z.string().min(1)).optional(),
  "attestation-bytes": z.int().min(0).max(MAX_ATTESTATION_BYTES).optional(),
  "v2-log-key": z.enum(REKOR_V2_KEYS).optional(),
};

const CANARY = {
  "every-seconds": z.int().min(5).optional(),
  "token-file": z.string().min(1).optional(),
  logs: z.array(z.enum(["rekor", "rekor-v2"])).optional(),
};

const AUDITOR = {
  enabled: z.boolean().optional(),
  state: z.string().min(1).optional(),
  "vantage-points": z.array(z.string().min(1)).optional(),
  webhook: z.string().min(1).optional(),
  "time-servers": z.array(z.string().min(1)).max(10).optional(),
  canary: z.union([z.literal(false), z.strictObject(CANARY)]).optional(),
};

/** What may stand in each section below `chancery`. */
const SECTIONS: Readonly<Record<string, object>> = {
  metrics: METRICS,
  grpc: GRPC,
  "grpc.tls": GRPC_TLS,
  fulcio: FULCIO,
  "fulcio.ct-log": CT_LOG,
  "fulcio.certificates-per-identity": RATES,
  rekor: REKOR,
  auditor: AUDITOR,
  "rekor.admission": { rekor: null, "rekor-v2": null },
  ...ADMISSION_KEYS,
  ...READERS_KEYS,
  tls: GRPC_TLS,
  "auditor.canary": CANARY,
};

const WANTED: Readonly<Record<string, string>> = {
  string: "a text",
  boolean: "true or false",
  object: "a mapping of keys",
  array: "a list",
};

const ownSection = z.strictObject({
  host: z.string().min(1).optional(),
  port: port.optional(),
  url: z.string().min(1).optional(),
  data: z.string().min(1).optional(),
  anchor: z.string().min(1).optional(),
  "database-url": z.string().min(1).optional(),
  "database-least-privilege": z.boolean().optional(),
  "ca-key": z.string().min(1).optional(),
  "ca-chain": z.string().min(1).optional(),
  "ca-passphrase-file": z.string().min(1).optional(),
  "log-level": z.enum(["error", "warn", "info", "debug"]).optional(),
  "access-log": z.boolean().optional(),
  metrics: z.strictObject(METRICS).optional(),
  grpc: z.strictObject(GRPC).optional(),
  tls: z.strictObject(GRPC_TLS).optional(),
  fulcio: z.strictObject(FULCIO).optional(),
  rekor: z.strictObject(REKOR).optional(),
  readers: readersSection.optional(),
  auditor: z.strictObject(AUDITOR).optional(),
});

export type OwnSection = z.infer<typeof ownSection>;

export class ConfigFile {
  readonly path: string;
  readonly text: string;
  readonly own: OwnSection;
  /** Undefined: it holds the section `chancery` alone, settings of a development mode that stays one. */
  readonly issuers: FulcioConfig["issuers"] | undefined;

  private constructor(path: string, text: string, own: OwnSection, issuers: ConfigFile["issuers"]) {
    this.path = path;
    this.text = text;
    this.own = own;
    this.issuers = issuers;
  }

  /** Its section `fulcio`, with absolute paths. */
  get fulcio(): NonNullable<OwnSection["fulcio"]> {
    const { "ct-log": ctLog, ...rest } = this.own.fulcio ?? {};
    if (ctLog === undefined) return rest;
    const absolute = (path: string | undefined) => (path === undefined ? undefined : this.resolve(path));
    const [key, ca] = [absolute(ctLog["public-key"]), absolute(ctLog["ca-cert"])];
    return { ...rest, "ct-log": { ...ctLog, "public-key": key, "ca-cert": ca } };
  }

  /** With the section `chancery` of another reading: what is in force until the next start. */
  withOwn({ own }: ConfigFile): ConfigFile {
    return new ConfigFile(this.path, this.text, own, this.issuers);
  }

  /** A path that stands in the file, which is relative to the file's folder. */
  resolve(path: string): string {
    return resolve(dirname(this.path), path);
  }

  static async read(file: string | undefined): Promise<ConfigFile | undefined> {
    return file === undefined ? undefined : ConfigFile.parse(await readConfigFile(file), file);
  }

  static parse(text: string, file: string): ConfigFile {
    const content = parsePlainly(text, file);
    if (typeof content !== "object" || content === null || Array.isArray(content)) {
      throw new Misconfigured(file, "must be a mapping of keys");
    }
    const { chancery, ...others } = content as Record<string, unknown>;
    // Whoever wrote any other key, and be it an empty list of issuers, meant issuers of their own: that must not become
    // a mode in which anyone on this machine is anyone.
    const isAlone = typeof chancery === "object" && chancery !== null && Object.keys(others).length === 0;
    // Fulcio's parser gets the text as written: it reads every scalar as its text, where YAML would round numbers.
    const issuers = isAlone ? undefined : parseIssuers(text, file).issuers;
    return new ConfigFile(file, text, parseOwn(chancery, file), issuers);
  }
}

/** The reader's message ends where its picture of the place would follow. */
function parsePlainly(text: string, file: string): unknown {
  try {
    return parseYaml(separateAliasKeys(text), file);
  } catch (error) {
    if (!(error instanceof Misconfigured)) throw error;
    const reason = error.message.slice(`${file}: `.length).replace(/:$/, "");
    throw new Misconfigured(file, reason, { cause: error });
  }
}

/** Fulcio's parser knows no file. */
function parseIssuers(text: string, file: string): FulcioConfig {
  try {
    return parseFulcioConfig(text, ["chancery"], dirname(file));
  } catch (error) {
    if (!(error instanceof Misconfigured)) throw error;
    throw new Misconfigured(file, error.message, { cause: error });
  }
}

function parseOwn(section: unknown, file: string): OwnSection {
  const result = ownSection.safeParse(section ?? {});
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys : [];
  const path = issue?.path ?? [];
  const key = ["chancery", ...path, ...unknown.slice(0, 1)].map(String).join(".");
  if (unknown.length === 0) throw new Misconfigured(key, `${plainly(issue)} (in ${file})`);
  const known = SECTIONS[placeOf(path)] ?? ownSection.shape;
  throw new Misconfigured(key, `unknown key in ${file}; known are ${Object.keys(known).join(", ")}`);
}

/** Lists by what each of their elements is; both logs take the same rules. */
function placeOf(path: readonly PropertyKey[]): string {
  return path
    .map((step) => (typeof step === "number" ? "*" : String(step)))
    .join(".")
    .replace(/^rekor\.admission\.rekor(-v2)?/, "rekor.admission.*");
}

type Issue = z.core.$ZodIssue | undefined;

function plainly(issue: Issue): string {
  if (issue?.path.at(-1) === "port") return "must be a port from 1 to 65535";
  if (issue?.code === "invalid_value") return `must be one of ${issue.values.map(String).join(", ")}`;
  if (issue?.code === "invalid_type") return `must be ${WANTED[issue.expected] ?? issue.expected}`;
  if (issue?.code === "too_small") return "must not be empty";
  return issue?.message ?? "is not understood";
}
