import { Controller, Get, Header, Inject, Query, UseFilters } from "@nestjs/common";
import { codedErrorShape, faultFilter } from "@chancery/service";
import { SearchLogs } from "../../domain/search/search-logs.ts";
import type { Query as QueryParameters } from "../query-parameters.ts";
import { encodeComplete, encodeFoundEntry } from "./entry-json.ts";
import { readSearch } from "./search-parameters.ts";

/** One search for both logs. */
@Controller("api/chancery/v1/search")
@UseFilters(faultFilter(codedErrorShape))
export class SearchController {
  readonly #logs: SearchLogs;

  constructor(@Inject(SearchLogs) logs: SearchLogs) {
    this.#logs = logs;
  }

  @Get()
  @Header("Cache-Control", "no-store")
  async search(@Query() query: QueryParameters) {
    const { results, cursor, complete } = await this.#logs.search(readSearch(query));
    return {
      results: results.map(encodeFoundEntry),
      ...(cursor !== undefined && { cursor }),
      ...encodeComplete(complete),
    };
  }
}
