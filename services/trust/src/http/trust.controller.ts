import { Controller, Get, Header, Inject, Param, Res } from "@nestjs/common";
import type { FastifyReply } from "fastify";
import { TRUST_CONFIG, TRUST_MATERIAL, type TrustConfig } from "../trust.config.ts";
import { trustIndex } from "../domain/trust-index.ts";
import type { TrustMaterial } from "../domain/trust-material.ts";
import { TufRepository } from "../domain/tuf/repository.ts";
import { sendFile } from "./send-file.ts";

/** The trust material as plain files, for those who do without TUF. */
@Controller("trust")
export class TrustController {
  readonly #url: string;
  readonly #material: TrustMaterial;
  readonly #repository: TufRepository;

  constructor(
    @Inject(TRUST_CONFIG) config: TrustConfig,
    @Inject(TRUST_MATERIAL) material: TrustMaterial,
    @Inject(TufRepository) repository: TufRepository,
  ) {
    this.#url = config.url;
    this.#material = material;
    this.#repository = repository;
  }

  @Get()
  @Header("Cache-Control", "no-cache")
  index() {
    return trustIndex(this.#url, this.#material.files, this.#repository);
  }

  @Get(":name")
  file(@Param("name") name: string, @Res() reply: FastifyReply): void {
    const file = this.#material.files.find((candidate) => candidate.name === name);
    sendFile(reply, name, file && { bytes: file.bytes, immutable: false });
  }
}
