import { Controller, Get, Header, Inject } from "@nestjs/common";
import type { ApiPart } from "@chancery/service";
import { openApi, searchApi } from "./openapi.ts";

/** What other services answer below the same prefix. */
export const OTHER_PARTS = Symbol("other parts of the API");

/** The description of this API, for clients that are made from one. */
@Controller("api/chancery/v1")
export class OpenApiController {
  readonly #description: ReturnType<typeof openApi>;

  constructor(@Inject(OTHER_PARTS) others: readonly ApiPart[]) {
    this.#description = openApi([searchApi, ...others]);
  }

  @Get("openapi.json")
  @Header("Cache-Control", "no-cache")
  describe() {
    return this.#description;
  }
}
