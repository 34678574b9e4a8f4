import { Controller, Get, Header, Inject, Param, Query, UseFilters } from "@nestjs/common";
import { NotFound } from "@chancery/fault";
import { codedErrorShape, faultFilter } from "@chancery/service";
import { CurrentIssuers } from "../domain/current-issuers.ts";
import { IssuanceAudit } from "../domain/issuance-audit.ts";
import type { IssuedEntry } from "../domain/issuance-ledger.ts";
import { certificateJson, certificateWithPemJson, refusalJson, summaryJson } from "./issuance-json.ts";
import {
  encodeCursor,
  type Parameters,
  parseSerial,
  readCertificateQuery,
  readRefusalQuery,
  readSummaryRange,
  readUnusedQuery,
} from "./issuance-query.ts";

/** What was issued and refused, for the authority's auditors. */
@Controller("api/chancery/v1")
@UseFilters(faultFilter(codedErrorShape))
export class IssuanceController {
  readonly #audit: IssuanceAudit;
  readonly #issuers: CurrentIssuers;

  constructor(@Inject(IssuanceAudit) audit: IssuanceAudit, @Inject(CurrentIssuers) issuers: CurrentIssuers) {
    this.#audit = audit;
    this.#issuers = issuers;
  }

  @Get("certificates")
  @Header("Cache-Control", "no-store")
  async certificates(@Query() parameters: Parameters) {
    const { entries, next } = await this.#audit.history.certificates(readCertificateQuery(parameters));
    return {
      results: entries.map((entry) => this.#json(entry)),
      ...(next && { cursor: encodeCursor(parameters, next) }),
    };
  }

  @Get("certificates/:serial")
  @Header("Cache-Control", "no-store")
  async certificate(@Param("serial") text: string) {
    const serial = parseSerial(text);
    const { entries } = await this.#audit.history.certificates({ serial, order: "newest", limit: 1 });
    const [entry] = entries;
    if (entry === undefined) throw new NotFound("serial: no certificate of this ledger has it");
    return certificateWithPemJson(entry, this.#issuers.isFederated);
  }

  @Get("refusals")
  @Header("Cache-Control", "no-store")
  async refusals(@Query() parameters: Parameters) {
    const { entries, next } = await this.#audit.history.refusals(readRefusalQuery(parameters));
    return { results: entries.map(refusalJson), ...(next && { cursor: encodeCursor(parameters, next) }) };
  }

  @Get("issuance/summary")
  @Header("Cache-Control", "no-store")
  async summary(@Query() parameters: Parameters) {
    const range = readSummaryRange(parameters, this.#audit.now());
    const { certificates, refusals } = await this.#audit.counts(range);
    const unused = await this.#unused(parameters, range);
    return { ...summaryJson(range, certificates, refusals), ...(unused && { unused }) };
  }

  /** The pages after the one in the summary. */
  @Get("issuance/unused")
  @Header("Cache-Control", "no-store")
  async unused(@Query() parameters: Parameters) {
    const page = await this.#unused(parameters, readUnusedQuery(parameters, this.#audit.now()));
    if (page === undefined) throw new NotFound("unused: this process does not know the signature log");
    return page;
  }

  #json(entry: IssuedEntry) {
    return certificateJson(entry, this.#issuers.isFederated);
  }

  async #unused(
    parameters: Parameters,
    query: ReturnType<typeof readUnusedQuery> | ReturnType<typeof readSummaryRange>,
  ) {
    const page = await this.#audit.unused(query);
    if (page === undefined) return undefined;
    const { entries, next } = page;
    return {
      results: entries.map((entry) => this.#json(entry)),
      ...(next && { cursor: encodeCursor(parameters, next) }),
    };
  }
}
