import { type DynamicModule, Module } from "@nestjs/common";
import type { ApiPart } from "@chancery/service";
import type { DescribedLog } from "./domain/search/log-description.ts";
import { SearchLogs } from "./domain/search/search-logs.ts";
import { searchedV1, searchedV2 } from "./domain/search/searched-log.ts";
import { EntryController } from "./http/search/entry.controller.ts";
import { IdentitiesController } from "./http/search/identities.controller.ts";
import { CLOCK, DESCRIBED_LOGS, LogsController } from "./http/search/logs.controller.ts";
import { OpenApiController, OTHER_PARTS } from "./http/search/openapi.controller.ts";
import { SearchController } from "./http/search/search.controller.ts";
import type { RekorLinks } from "./rekor.module.ts";
import type { RekorV2Links } from "./rekor-v2.module.ts";

export interface SearchConfig {
  readonly treeId: bigint;
  /** Of the v2 log. */
  readonly origin: string;
}

export interface SearchLinks {
  readonly rekor: RekorLinks;
  readonly rekorV2: RekorV2Links;
  /** Logs that are told of beside them, and not searched. */
  readonly others?: readonly DescribedLog[];
  readonly clock?: () => number;
  /** What else is described with the search. */
  readonly otherParts?: readonly ApiPart[];
}

/** One search for both of Rekor's logs. */
@Module({})
export class SearchModule {
  static forRoot(
    config: SearchConfig,
    { rekor, rekorV2, others = [], clock = Date.now, otherParts = [] }: SearchLinks,
  ): DynamicModule {
    const [v1, v2] = [searchedV1(rekor, config.treeId), searchedV2(rekorV2, config.origin)];
    const { log, signer, inactive = [] } = rekor;
    const described: DescribedLog[] = [
      { name: "rekor", log, publicKey: signer.publicKey, treeId: config.treeId, inactive },
      { name: v2.name, log: v2.log, logId: v2.logId, publicKey: rekorV2.signer.publicKey },
    ];
    return {
      module: SearchModule,
      controllers: [SearchController, EntryController, LogsController, IdentitiesController, OpenApiController],
      providers: [
        { provide: SearchLogs, useValue: new SearchLogs([...v1, v2]) },
        { provide: DESCRIBED_LOGS, useValue: [...described, ...others] },
        { provide: CLOCK, useValue: clock },
        { provide: OTHER_PARTS, useValue: otherParts },
      ],
    };
  }
}
