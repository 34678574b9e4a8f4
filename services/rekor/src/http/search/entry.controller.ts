import { Controller, Get, Header, Inject, Param, UseFilters } from "@nestjs/common";
import { encodeBase64, encodeHex } from "@chancery/encoding";
import { NotFound } from "@chancery/fault";
import { codedErrorShape, faultFilter } from "@chancery/service";
import { type EntryDetail, entryDetail } from "../../domain/search/entry-detail.ts";
import { SearchLogs } from "../../domain/search/search-logs.ts";
import { decodeNote } from "../checkpoint-text.ts";
import { encodeBundle } from "./bundle-json.ts";
import { encodeFoundEntry } from "./entry-json.ts";
import { LOG_NAMES } from "./search-parameters.ts";

/** One entry of either log, with what proves it. */
@Controller("api/chancery/v1/entries")
@UseFilters(faultFilter(codedErrorShape))
export class EntryController {
  readonly #logs: SearchLogs;

  constructor(@Inject(SearchLogs) logs: SearchLogs) {
    this.#logs = logs;
  }

  @Get(":log/:entry")
  @Header("Cache-Control", "no-store")
  async entry(@Param("log") name: string, @Param("entry") entry: string) {
    const shards = this.#logs.logs.filter((each) => each.name === name);
    if (shards.length === 0) throw new NotFound(`log: none of ${LOG_NAMES.join(", ")}`);
    const detail = await entryDetail(shards, entry);
    if (detail === undefined) throw new NotFound("entry: not in this log");
    return encodeDetail(detail);
  }
}

function encodeDetail(detail: EntryDetail) {
  const { found, attestation, proof, checkpoint, promise } = detail;
  const bundle = encodeBundle(detail);
  return {
    ...encodeFoundEntry(found),
    body: encodeBase64(found.entry.leaf),
    ...(attestation && { attestationPayload: encodeBase64(attestation) }),
    inclusionProof: {
      logIndex: String(proof.index),
      treeSize: String(proof.size),
      rootHash: encodeHex(checkpoint.head.root),
      hashes: proof.path.map(encodeHex),
    },
    checkpoint: decodeNote(checkpoint.note),
    ...(promise && {
      signedEntryTimestamp: encodeBase64(promise),
      integratedTime: Math.floor(found.entry.time / 1000),
    }),
    ...(bundle && { bundle }),
  };
}
