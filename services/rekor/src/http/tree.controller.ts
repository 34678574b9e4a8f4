import { Controller, Get, Header, Inject, Query, UseFilters } from "@nestjs/common";
import { encodeHex } from "@chancery/encoding";
import { faultFilter } from "@chancery/service";
import { RekorLog, type ShardHead } from "../domain/rekor-log.ts";
import { NO_CACHE } from "./entries.controller.ts";
import { rekorErrors } from "./error-shape.ts";
import { decodeNote } from "./checkpoint-text.ts";
import {
  integerParameter,
  type Query as QueryParameters,
  requiredInteger,
  treeIdParameter,
} from "./query-parameters.ts";

/** The tree itself: its head, its key, and that it only grows. */
@Controller("api/v1/log")
@UseFilters(faultFilter(rekorErrors()))
export class TreeController {
  readonly #log: RekorLog;

  constructor(@Inject(RekorLog) log: RekorLog) {
    this.#log = log;
  }

  @Get()
  @Header("Cache-Control", NO_CACHE)
  async head() {
    // First, as upstream: what is in none of them is in the newest.
    const inactive = await this.#log.inactiveHeads();
    const active = { ...(await this.#log.treeHead(undefined)), treeId: this.#log.treeId };
    return { inactiveShards: inactive.map(encodeHead), ...encodeHead(active) };
  }

  @Get("publicKey")
  @Header("Cache-Control", NO_CACHE)
  @Header("Content-Type", "application/x-pem-file")
  publicKey(@Query() query: QueryParameters) {
    return this.#log.publicKeyPem(treeIdParameter(query));
  }

  @Get("proof")
  @Header("Cache-Control", NO_CACHE)
  async proof(@Query() query: QueryParameters) {
    const from = integerParameter(query, "firstSize", 1) ?? 1n;
    const to = requiredInteger(query, "lastSize", 1);
    const { hashes, head } = await this.#log.consistency(from, to, treeIdParameter(query));
    return { rootHash: encodeHex(head.root), hashes: hashes.map(encodeHex) };
  }
}

function encodeHead({ head, note, treeId }: ShardHead) {
  return {
    rootHash: encodeHex(head.root),
    signedTreeHead: decodeNote(note),
    treeID: String(treeId),
    treeSize: Number(head.size),
  };
}
