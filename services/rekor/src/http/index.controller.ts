import { Body, Controller, Headers, HttpCode, Inject, Post, UseFilters } from "@nestjs/common";
import { faultFilter } from "@chancery/service";
import { RekorLog } from "../domain/rekor-log.ts";
import { rekorErrors } from "./error-shape.ts";
import { requireJson } from "./request-body.ts";
import { readSearchQuery } from "./search-query.ts";

/** The search index. */
@Controller("api/v1/index")
@UseFilters(faultFilter(rekorErrors()))
export class IndexController {
  readonly #log: RekorLog;

  constructor(@Inject(RekorLog) log: RekorLog) {
    this.#log = log;
  }

  @Post("retrieve")
  @HttpCode(200)
  async search(@Body() body: Uint8Array, @Headers("content-type") contentType: string | undefined) {
    requireJson(contentType);
    const { texts, operator } = await readSearchQuery(body);
    return this.#log.search(texts, operator);
  }
}
