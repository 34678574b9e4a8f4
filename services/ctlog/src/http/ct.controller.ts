import { Body, Controller, Get, Header, HttpCode, Inject, Post, Query, Req, Res, UseFilters } from "@nestjs/common";
import { encodeBase64 } from "@chancery/encoding";
import { faultFilter, rawPathFrom } from "@chancery/service";
import { sctToJson } from "@chancery/x509";
import type { FastifyReply, FastifyRequest } from "fastify";
import { CertificateTransparencyLog } from "../domain/certificate-transparency-log.ts";
import {
  encodeEntry,
  encodeTreeHead,
  parseChainRequest,
  parseCount,
  parseHash,
  parseTreeSize,
  type Query as QueryParameters,
} from "./ct-api.ts";
import { textErrors } from "./text-errors.ts";

/** Proofs between two sizes, and whole pages, never change. */
const IMMUTABLE = "public, max-age=86400";
/** The last page grows. */
const SHORT = "public, max-age=60";
const NEVER = "no-store";

/** RFC 6962, Section 4, and the reads of c2sp.org/static-ct-api that come for nothing. */
@Controller()
@UseFilters(faultFilter(textErrors))
export class CtController {
  readonly #log: CertificateTransparencyLog;

  constructor(@Inject(CertificateTransparencyLog) log: CertificateTransparencyLog) {
    this.#log = log;
  }

  @Post("ct/v1/add-chain")
  @HttpCode(200)
  async addChain(@Body() body: Uint8Array) {
    return sctToJson(await this.#log.addChain(parseChainRequest(body)));
  }

  @Post("ct/v1/add-pre-chain")
  @HttpCode(200)
  async addPreChain(@Body() body: Uint8Array) {
    return sctToJson(await this.#log.addPreChain(parseChainRequest(body)));
  }

  @Get("ct/v1/get-sth")
  @Header("Cache-Control", NEVER)
  async getTreeHead() {
    return encodeTreeHead(await this.#log.sth());
  }

  @Get("ct/v1/get-sth-consistency")
  @Header("Cache-Control", IMMUTABLE)
  async getConsistency(@Query() query: QueryParameters) {
    const path = await this.#log.consistencyPath(parseCount(query, "first"), parseCount(query, "second"));
    return { consistency: path.map(encodeBase64) };
  }

  @Get("ct/v1/get-proof-by-hash")
  @Header("Cache-Control", IMMUTABLE)
  async getProofByHash(@Query() query: QueryParameters) {
    const { index, path } = await this.#log.inclusionByHash(parseHash(query), parseTreeSize(query));
    return { leaf_index: Number(index), audit_path: path.map(encodeBase64) };
  }

  @Get("ct/v1/get-entries")
  async getEntries(@Query() query: QueryParameters, @Res({ passthrough: true }) reply: FastifyReply) {
    const [start, end] = [parseCount(query, "start"), parseCount(query, "end")];
    const entries = await this.#log.entries(start, end);
    reply.header("Cache-Control", BigInt(entries.length) === end - start + 1n ? IMMUTABLE : SHORT);
    return { entries: entries.map(encodeEntry) };
  }

  @Get("ct/v1/get-roots")
  getRoots() {
    return { certificates: this.#log.roots.map(({ der }) => encodeBase64(der)) };
  }

  @Get("ct/v1/get-entry-and-proof")
  @Header("Cache-Control", IMMUTABLE)
  async getEntryAndProof(@Query() query: QueryParameters) {
    const { entry, proof } = await this.#log.entryAndProof(parseCount(query, "leaf_index"), parseTreeSize(query));
    return { ...encodeEntry(entry), audit_path: proof.path.map(encodeBase64) };
  }

  @Get("checkpoint")
  @Header("Cache-Control", NEVER)
  @Header("Content-Type", "text/plain; charset=utf-8")
  async getCheckpoint() {
    return Buffer.from(await this.#log.checkpoint());
  }

  @Get("tile/*")
  @Header("Cache-Control", "public, max-age=31536000, immutable")
  @Header("Content-Type", "application/octet-stream")
  async getTile(@Req() request: FastifyRequest) {
    return Buffer.from(await this.#log.tileResource(rawPathFrom(request, "tile")));
  }
}
