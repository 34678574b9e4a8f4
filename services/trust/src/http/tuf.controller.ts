import { Controller, Get, Inject, Param, Res } from "@nestjs/common";
import type { FastifyReply } from "fastify";
import { TufRepository } from "../domain/tuf/repository.ts";
import { sendFile } from "./send-file.ts";

/** The TUF repository as clients expect it under a mirror's URL. Names are looked up, never joined to a path. */
@Controller("tuf")
export class TufController {
  readonly #repository: TufRepository;

  constructor(@Inject(TufRepository) repository: TufRepository) {
    this.#repository = repository;
  }

  @Get(":name")
  metadata(@Param("name") name: string, @Res() reply: FastifyReply): void {
    sendFile(reply, name, this.#repository.file(name));
  }

  @Get("targets/:name")
  target(@Param("name") name: string, @Res() reply: FastifyReply): void {
    sendFile(reply, name, this.#repository.file(`targets/${name}`));
  }
}
