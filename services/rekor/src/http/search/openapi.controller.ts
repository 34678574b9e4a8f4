import { Controller, Get, Header } from "@nestjs/common";
import { openApi } from "./openapi.ts";

/** The description of this API, for clients that are made from one. */
@Controller("api/chancery/v1")
export class OpenApiController {
  @Get("openapi.json")
  @Header("Cache-Control", "no-cache")
  describe() {
    return openApi;
  }
}
