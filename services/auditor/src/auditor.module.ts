import {
  type DynamicModule,
  Inject,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from "@nestjs/common";
import { Metrics, ReadinessRegistry } from "@chancery/service";
import { AUDIT_VIEW, AUDITOR_OFF, type AuditView } from "./audit-view.ts";
import { plainText } from "./domain/plain-text.ts";
import { countAudit } from "./http/audit-metrics.ts";
import { auditWarning } from "./http/audit-warning.ts";
import { AuditController } from "./http/audit.controller.ts";
import { Auditor } from "./watch/auditor.ts";
import type { AuditorLog, AuditorOptions } from "./watch/auditor-options.ts";
import { messageOf } from "./watch/wrong.ts";

export type AuditorConfig = Omit<AuditorOptions, "told">;

/** The auditor beside what it audits, or alone in a process: its answers at /api/chancery/v1/audit, its series, its lines. */
@Module({})
export class AuditorModule implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #view: AuditView;

  constructor(
    @Inject(AUDIT_VIEW) view: AuditView,
    @Inject(Metrics) metrics: Metrics,
    @Inject(ReadinessRegistry) readiness: ReadinessRegistry,
  ) {
    this.#view = view;
    countAudit(view, metrics.registry);
    readiness.warn("auditor", () => auditWarning(view));
  }

  /** Undefined: none runs in this process. */
  static forRoot(config: AuditorConfig | undefined): DynamicModule {
    return {
      module: AuditorModule,
      controllers: [AuditController],
      providers: [
        {
          provide: AUDIT_VIEW,
          useFactory: () => (config === undefined ? AUDITOR_OFF : Auditor.open({ ...config, told: auditorLog() })),
        },
      ],
    };
  }

  onApplicationBootstrap(): void {
    if (this.#view instanceof Auditor) this.#view.start();
  }

  async onModuleDestroy(): Promise<void> {
    if (this.#view instanceof Auditor) await this.#view[Symbol.asyncDispose]();
  }
}

function auditorLog(): AuditorLog {
  const logger = new Logger("auditor");
  return {
    alarm: ({ severity, resolved }, text) => {
      if (resolved !== undefined) logger.warn(text);
      else if (severity === "critical") logger.error(text);
      else logger.warn(text);
    },
    failed: (what, error) => logger.warn(plainText(`${what} could not be done: ${messageOf(error)}`)),
  };
}
