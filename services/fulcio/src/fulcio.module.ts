import { type BeforeApplicationShutdown, type DynamicModule, Inject, Module, type OnModuleInit } from "@nestjs/common";
import { HttpAdapterHost } from "@nestjs/core";
import { type GrpcService, GrpcServices, GrpcStatus, Metrics, ReadinessRegistry } from "@chancery/service";
import type { FastifyInstance, FastifyReply } from "fastify";
import { type AuthorityIdentity, CertificateAuthority } from "./domain/certificate-authority.ts";
import { CurrentIssuers } from "./domain/current-issuers.ts";
import { type ForeignCtLog, foreignCtLog, type OwnCtLog } from "./domain/ct-log.ts";
import { Issuance } from "./domain/issuance.ts";
import { IssuanceAudit } from "./domain/issuance-audit.ts";
import type { IssuanceHistory } from "./domain/issuance-history.ts";
import type { IssuanceLedger } from "./domain/issuance-ledger.ts";
import { RefusalCounts } from "./domain/refusal-counts.ts";
import { IssuerSignatures } from "./domain/issuer-signatures.ts";
import type { KeyUse } from "./domain/unused-certificates.ts";
import { createExaminer } from "./examiner.ts";
import type { FulcioConfig } from "./fulcio.config.ts";
import { caV1beta } from "./grpc/ca-v1beta.ts";
import { caV2 } from "./grpc/ca-v2.ts";
import { AuthorityChain } from "./http/authority-chain.ts";
import { rpcStatus } from "./http/error-shape.ts";
import { FulcioMetrics } from "./http/fulcio-metrics.ts";
import { IssuanceController } from "./http/issuance.controller.ts";
import { IssuerList } from "./http/issuer-list.ts";
import { V1Controller } from "./http/v1.controller.ts";
import { V2Controller } from "./http/v2.controller.ts";

/** What the service is given by the process it runs in. */
export interface FulcioLinks {
  readonly issuer: AuthorityIdentity;
  /** Without one, certificates carry no SCT and no stock client trusts them. */
  readonly ctLog?: OwnCtLog | ForeignCtLog;
  /** Where certificates, before they leave, and refusals are written; nowhere if left out. */
  readonly ledger?: IssuanceLedger;
  /** The same ledger as auditors ask it over HTTP; not at all if left out. */
  readonly history?: IssuanceHistory;
  /** What the signature logs know of keys, for that. */
  readonly keyUse?: KeyUse;
  /** Told what an operator should know and no request can help: an issuer's keys that cannot be renewed. */
  readonly warn?: (text: string) => void;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
}

const GRPC_API = Symbol("what Fulcio serves over gRPC");

/** Upstream's paths, and what each takes. */
const PATHS = {
  "/api/v1/signingCert": "POST",
  "/api/v1/rootCert": "GET",
  "/api/v2/signingCert": "POST",
  "/api/v2/trustBundle": "GET",
  "/api/v2/configuration": "GET",
} as const;

@Module({})
export class FulcioModule implements OnModuleInit, BeforeApplicationShutdown {
  readonly #http: HttpAdapterHost;
  readonly #readiness: ReadinessRegistry;
  readonly #authority: CertificateAuthority;
  readonly #issuance: Issuance;
  readonly #metrics: FulcioMetrics;

  constructor(
    @Inject(HttpAdapterHost) http: HttpAdapterHost,
    @Inject(ReadinessRegistry) readiness: ReadinessRegistry,
    @Inject(CertificateAuthority) authority: CertificateAuthority,
    @Inject(Issuance) issuance: Issuance,
    @Inject(FulcioMetrics) metrics: FulcioMetrics,
    @Inject(GRPC_API) grpc: readonly GrpcService[],
    @Inject(GrpcServices) served: GrpcServices,
  ) {
    this.#http = http;
    this.#metrics = metrics;
    this.#readiness = readiness;
    this.#authority = authority;
    this.#issuance = issuance;
    for (const service of grpc) served.add(service);
  }

  /** Throws Misconfigured unless everything that can be known now is right: chain, key, CT log, every issuer. */
  static forRoot(config: FulcioConfig, links: FulcioLinks): DynamicModule {
    const clock = links.clock ?? Date.now;
    const authority = new CertificateAuthority(links.issuer, ctLog(links), clock);
    const examiner = createExaminer(config, links);
    const { pool: issuers } = examiner;
    const counts = new RefusalCounts();
    const issuance = new Issuance({
      ...examiner,
      authority,
      counts,
      ledger: links.ledger,
      clientAlgorithms: config.clientAlgorithms,
      rates: config.rates,
    });
    return {
      module: FulcioModule,
      controllers: [V1Controller, V2Controller, ...(links.history === undefined ? [] : [IssuanceController])],
      providers: [
        { provide: CertificateAuthority, useValue: authority },
        ...auditing(links, clock),
        { provide: AuthorityChain, useValue: new AuthorityChain(authority) },
        { provide: CurrentIssuers, useValue: issuers },
        { provide: IssuerSignatures, useValue: new IssuerSignatures(examiner) },
        { provide: IssuerList, useValue: new IssuerList(issuers) },
        {
          provide: FulcioMetrics,
          useFactory: (metrics: Metrics) => new FulcioMetrics(metrics, counts),
          inject: [Metrics],
        },
        {
          provide: Issuance,
          useFactory: (metrics: FulcioMetrics) => counted(issuance, metrics),
          inject: [FulcioMetrics],
        },
        {
          provide: GRPC_API,
          useFactory: (issues: Issuance, chain: AuthorityChain, list: IssuerList) => [
            caV2(issues, chain, list),
            caV1beta(issues, chain),
          ],
          inject: [Issuance, AuthorityChain, IssuerList],
        },
      ],
    };
  }

  onModuleInit(): void {
    this.#readiness.add("fulcio", async () => this.#authority.readiness());
    this.#readiness.warn("fulcio", () => this.#authority.warning());
    this.#readiness.warn("fulcio", () => this.#authority.ctLogWarning());
    const fastify = this.#http.httpAdapter.getInstance<FastifyInstance>();
    refuseOtherMethods(fastify);
    fastify.decorate("apiNotFound", answerAsGateway);
    this.#metrics.observe(fastify, new Set(Object.keys(PATHS)));
  }

  /** After the last request, while the database is still there. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.#issuance.close();
  }
}

function auditing({ history, keyUse }: FulcioLinks, clock: () => number) {
  if (history === undefined) return [];
  return [{ provide: IssuanceAudit, useValue: new IssuanceAudit(history, keyUse, clock) }];
}

/** Every API issues through this one. */
function counted(issuance: Issuance, metrics: FulcioMetrics): Pick<Issuance, "issue" | "close"> {
  return {
    issue: async (token, proof) => {
      const issued = await issuance.issue(token, proof);
      metrics.issued();
      return issued;
    },
    close: () => issuance.close(),
  };
}

function ctLog({ ctLog: log, issuer }: FulcioLinks): OwnCtLog | undefined {
  return log !== undefined && "link" in log ? foreignCtLog(log, issuer.chain) : log;
}

/** The gateway in front of upstream's service answers 501 where HTTP has 405. */
function refuseOtherMethods(fastify: FastifyInstance): void {
  for (const [url, taken] of Object.entries(PATHS)) {
    fastify.route({
      method: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].filter((method) => method !== taken),
      url,
      handler: (_request, reply) =>
        reply.code(501).type("application/json").send(rpcStatus(GrpcStatus.UNIMPLEMENTED, "Method Not Allowed")),
    });
  }
}

/** All of the second version's, whose other service (Rekor v2) stands behind a gateway of the same kind. */
const BELOW = [...Object.keys(PATHS).map((path) => `${path}/`), "/api/v2/"];

/** grpc-gateway, DefaultRoutingErrorHandler. */
function answerAsGateway(path: string, reply: FastifyReply): boolean {
  if (!BELOW.some((prefix) => path.startsWith(prefix))) return false;
  reply.code(404).type("application/json").send(rpcStatus(GrpcStatus.NOT_FOUND, "Not Found"));
  return true;
}
