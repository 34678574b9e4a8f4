import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { ephemeralSigner, type PublicKey, sha256, type Signer, spkiHash } from "@chancery/crypto";
import { createLogger, createService, type RunningService } from "@chancery/service";
import {
  type Certificate,
  createIntermediateAuthority,
  createRootAuthority,
  encodeDigitallySigned,
  OID,
  parseCertificate,
  precertSignedData,
  removePoison,
} from "@chancery/x509";
import {
  type CtLog,
  type FulcioLinks,
  FulcioModule,
  type IssuanceRates,
  type IssuanceLedger,
  type LoggedPrecertificate,
  MemoryIssuanceLedger,
  parseFulcioConfig,
} from "../src/index.ts";

/** A root, an intermediate and its key, as an installation has them. */
export interface TestAuthority {
  readonly chain: readonly [Certificate, Certificate];
  readonly signer: Signer;
}

export async function createTestAuthority(years = 1): Promise<TestAuthority> {
  const [rootSigner, signer] = [ephemeralSigner("ecdsa-p256"), ephemeralSigner("ecdsa-p256")];
  const validity = {
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + years * 31_536_000_000),
  };
  const root = parseCertificate(
    await createRootAuthority({
      ...validity,
      signer: rootSigner,
      subject: { commonName: "root", organization: "test" },
    }),
    "root",
  );
  const intermediate = await createIntermediateAuthority({
    ...validity,
    subject: { commonName: "intermediate", organization: "test" },
    issuer: root,
    issuerSigner: rootSigner,
    spki: signer.publicKey.spki,
    extendedKeyUsage: [OID.codeSigning],
  });
  return { chain: [parseCertificate(intermediate, "intermediate"), root], signer };
}

/** A CT log that keeps what it promised in memory; its SCTs are real. */
export class MemoryCtLog implements CtLog {
  readonly #signer = ephemeralSigner("ecdsa-p256");
  readonly submitted: (readonly Uint8Array[])[] = [];
  /** Runs before an SCT is made: may throw, wait, or change it. */
  disturb: (sct: LoggedPrecertificate) => Promise<LoggedPrecertificate> = async (sct) => sct;

  get publicKey(): PublicKey {
    return this.#signer.publicKey;
  }

  async addPreChain(chain: readonly Uint8Array[]): Promise<LoggedPrecertificate> {
    const index = BigInt(this.submitted.push(chain)) - 1n;
    const [precertificate, issuer] = chain.map((der) => parseCertificate(der, "chain"));
    const timestamp = Date.now();
    const signed = precertSignedData({
      timestamp,
      issuerKeyHash: sha256(issuer!.spki),
      tbs: removePoison(precertificate!),
      extensions: new Uint8Array(),
    });
    const signature = encodeDigitallySigned(this.publicKey, await this.#signer.sign(signed));
    return this.disturb({ logId: spkiHash(this.publicKey), timestamp, extensions: new Uint8Array(), signature, index });
  }
}

export interface FulcioUnderTest extends AsyncDisposable {
  readonly service: RunningService;
  readonly authority: TestAuthority;
  readonly ctLog: MemoryCtLog;
  readonly ledger: IssuanceLedger;
  request(path: string, init?: { body?: unknown; authorization?: string; method?: string }): Promise<Answer>;
  /** v2 with a token in the body and the client's key. */
  enrol(token: string, name: string, key?: ClientKey): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- each test says what it expects in there.
  json(): any;
  /** Of a refusal: upstream's sentence and, after a colon, our reason. */
  told(): string;
}

export interface FulcioOptions {
  readonly config: string;
  readonly withoutCtLog?: boolean;
  /** Instead of the one in memory. */
  readonly ctLog?: { readonly link: CtLog; readonly key: PublicKey };
  readonly clock?: () => number;
  readonly rates?: IssuanceRates;
  readonly onceFederated?: readonly string[];
  readonly authority?: TestAuthority;
  readonly ledger?: IssuanceLedger;
  readonly auditing?: Pick<FulcioLinks, "history" | "keyUse">;
  readonly allowLoopbackHttp?: boolean;
  readonly warn?: (text: string) => void;
}

export async function startFulcio(options: FulcioOptions): Promise<FulcioUnderTest> {
  const authority = options.authority ?? (await createTestAuthority());
  const ctLog = new MemoryCtLog();
  const ledger = options.ledger ?? new MemoryIssuanceLedger();
  const linked = options.ctLog ?? { link: ctLog, key: ctLog.publicKey };
  const module = FulcioModule.forRoot(
    {
      ...parseFulcioConfig(options.config),
      allowLoopbackHttp: options.allowLoopbackHttp === true,
      ...(options.rates === undefined ? {} : { rates: options.rates }),
      ...(options.onceFederated === undefined ? {} : { onceFederated: options.onceFederated }),
    },
    {
      issuer: authority,
      ...(options.withoutCtLog === true ? {} : { ctLog: linked }),
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      ledger,
      ...options.auditing,
      ...(options.warn === undefined ? {} : { warn: options.warn }),
    },
  );
  const service = await createService({
    modules: [module],
    logger: createLogger({ level: "silent" }),
    grpc: { port: 0 },
    metrics: { port: 0 },
  });
  const request: FulcioUnderTest["request"] = async (path, { body, authorization, method } = {}) => {
    const response = await service.app.inject({
      method: (method ?? (body === undefined ? "GET" : "POST")) as "GET",
      url: path,
      headers: { "content-type": "application/json", ...(authorization === undefined ? {} : { authorization }) },
      ...(body === undefined ? {} : { payload: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    return {
      status: response.statusCode,
      headers: response.headers,
      body: response.body,
      json: () => JSON.parse(response.body),
      told: () => {
        const { message, details } = JSON.parse(response.body) as { message: string; details: { message: string }[] };
        return [message, ...details.map((detail) => detail.message)].join(": ");
      },
    };
  };
  return {
    service,
    authority,
    ctLog,
    ledger,
    request,
    enrol: (token, name, key = clientKey) =>
      request("/api/v2/signingCert", { body: v2Body(token, key, key.prove(name)) }),
    [Symbol.asyncDispose]: () => service.close(),
  };
}

/** A client's ephemeral key. */
export interface ClientKey {
  readonly privateKey: KeyObject;
  readonly pem: string;
  prove(name: string): Uint8Array;
}

export function createClientKey(type: "P-256" | "P-384" | "P-521" | "ed25519" | number = "P-256"): ClientKey {
  const { privateKey, publicKey } = keyPair(type);
  const hash = type === "ed25519" ? null : type === "P-384" ? "sha384" : type === "P-521" ? "sha512" : "sha256";
  return {
    privateKey,
    pem: publicKey.export({ type: "spki", format: "pem" }),
    prove: (name) => new Uint8Array(sign(hash, Buffer.from(name), privateKey)),
  };
}

function keyPair(type: "P-256" | "P-384" | "P-521" | "ed25519" | number) {
  if (type === "ed25519") return generateKeyPairSync("ed25519");
  if (typeof type === "number") return generateKeyPairSync("rsa", { modulusLength: type });
  return generateKeyPairSync("ec", { namedCurve: type });
}

export const clientKey = createClientKey();

export function base64(bytes: Uint8Array | string): string {
  return Buffer.from(bytes).toString("base64");
}

export function v2Body(token: string, key: { pem: string }, proof: Uint8Array) {
  return {
    credentials: { oidcIdentityToken: token },
    publicKeyRequest: {
      publicKey: { algorithm: "ECDSA", content: key.pem },
      proofOfPossession: base64(proof),
    },
  };
}

/** The DER of the first certificate in an answer of either version. */
export function leafOf(answer: Answer): Uint8Array {
  const pem: string = answer.body.startsWith("-----")
    ? answer.body
    : (Object.values(answer.json() as object)[0].chain.certificates[0] as string);
  const body = /-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(pem)![1]!;
  return new Uint8Array(Buffer.from(body, "base64"));
}
