import { randomBytes } from "node:crypto";
import type { Signer } from "@chancery/crypto";
import { ReadinessRegistry } from "@chancery/service";
import type { Certificate } from "@chancery/x509";
import { type DynamicModule, Module } from "@nestjs/common";
import { TimestampAuthority } from "./domain/timestamp-authority.ts";
import { TimestampController } from "./http/timestamp.controller.ts";

export interface TsaConfig {
  /** The policy OID of every token; Sigstore's own if left out. */
  readonly policy?: string;
}

export interface TsaLinks {
  /** Signing certificate first, root last. */
  readonly chain: readonly Certificate[];
  readonly signer: Signer;
  /** Milliseconds since the epoch; the host's clock if left out. */
  readonly clock?: () => number;
}

@Module({})
export class TsaModule {
  static forRoot(config: TsaConfig, links: TsaLinks): DynamicModule {
    const { chain, signer, clock = Date.now } = links;
    const authority = new TimestampAuthority({ ...config, chain, signer, clock, randomBytes });
    return {
      module: TsaModule,
      controllers: [TimestampController],
      providers: [
        { provide: TimestampAuthority, useValue: authority },
        {
          provide: "tsa-readiness",
          inject: [ReadinessRegistry],
          useFactory: (readiness: ReadinessRegistry) => readiness.add("tsa", async () => authority.readiness()),
        },
      ],
    };
  }
}
