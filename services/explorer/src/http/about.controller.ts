import { Controller, Get, Header, Inject } from "@nestjs/common";
import type { About } from "../domain/about.ts";
import { ABOUT } from "./tokens.ts";

/** How to sign here: what the banner prints, for the pages. */
@Controller("api/chancery/v1/about")
export class AboutController {
  readonly #about: () => About;

  constructor(@Inject(ABOUT) about: () => About) {
    this.#about = about;
  }

  @Get()
  @Header("Cache-Control", "no-store")
  about(): About {
    return this.#about();
  }
}
