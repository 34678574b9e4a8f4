import { Controller, Get, Header, Inject, Param, UseFilters } from "@nestjs/common";
import { NotFound } from "@chancery/fault";
import { codedErrorShape, faultFilter } from "@chancery/service";
import { AUDIT_VIEW, type AuditView } from "../audit-view.ts";

/** What the auditor found, for people, pages and scripts. */
@Controller("api/chancery/v1/audit")
@UseFilters(faultFilter(codedErrorShape))
export class AuditController {
  readonly #view: AuditView;

  constructor(@Inject(AUDIT_VIEW) view: AuditView) {
    this.#view = view;
  }

  @Get()
  @Header("Cache-Control", "no-store")
  status() {
    return this.#view.status();
  }

  /** By which entries of the canary are told from those of whoever bears its name. */
  @Get("canary-keys")
  @Header("Cache-Control", "no-store")
  async canaryKeys() {
    return { keys: await this.#view.canaryKeys() };
  }

  /** What was stored when an alarm was raised, by the last part of the path that the alarm names. */
  @Get("evidence/:name")
  @Header("Cache-Control", "no-store")
  @Header("Content-Type", "application/json")
  async evidence(@Param("name") name: string) {
    const evidence = await this.#view.evidence(name);
    if (evidence === undefined) throw new NotFound("evidence: there is none of this name");
    return Buffer.from(evidence);
  }
}
