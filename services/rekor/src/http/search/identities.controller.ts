import { Controller, Get, Header, Inject, Query, UseFilters } from "@nestjs/common";
import { Malformed } from "@chancery/fault";
import { codedErrorShape, faultFilter } from "@chancery/service";
import { summarizeIdentity, type Tally } from "../../domain/search/identity-summary.ts";
import { Turnstile } from "../../domain/search/turnstile.ts";
import { SearchLogs } from "../../domain/search/search-logs.ts";
import type { Query as QueryParameters } from "../query-parameters.ts";
import { encodeComplete, encodeTime } from "./entry-json.ts";
import { requireKnown, single } from "./search-parameters.ts";

/** What an identity did in both logs. */
@Controller("api/chancery/v1/identities")
@UseFilters(faultFilter(codedErrorShape))
export class IdentitiesController {
  readonly #logs: SearchLogs;
  /** Each reads up to 10,000 entries, a second of work. */
  readonly #turnstile = new Turnstile(1, 16);

  constructor(@Inject(SearchLogs) logs: SearchLogs) {
    this.#logs = logs;
  }

  @Get()
  @Header("Cache-Control", "no-store")
  async identity(@Query() query: QueryParameters) {
    requireKnown(query, ["san", "issuer"]);
    const [san, issuer] = [single(query, "san"), single(query, "issuer")];
    if (san === undefined) throw new Malformed("san: is required");
    const { first, last, activity, completeTo, repositories, kinds, ...summary } = await this.#turnstile.pass(() =>
      summarizeIdentity(this.#logs, { san, issuer }),
    );
    const trees = encodeComplete(completeTo);
    return {
      san,
      ...summary,
      ...(first !== undefined && { first: encodeTime(first) }),
      ...(last !== undefined && { last: encodeTime(last) }),
      repositories,
      kinds,
      activity: activity.map(({ value: day, count }: Tally) => ({ day, count })),
      completeTo: trees.complete,
      ...(trees.incomplete !== undefined && { incomplete: trees.incomplete }),
    };
  }
}
