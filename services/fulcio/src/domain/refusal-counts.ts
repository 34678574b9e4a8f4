import { REFUSAL_CODES, type RefusalCode } from "./refusal-code.ts";

/** Since the start, for whoever watches. Strangers cannot make more of either: codes are ours, rules the configuration's. */
export class RefusalCounts {
  readonly byCode = new Map<RefusalCode, number>(REFUSAL_CODES.map((code) => [code, 0]));
  /** Issued, though a policy in dry run would have refused, by its rule. */
  readonly inDryRun = new Map<string, number>();

  refused(code: RefusalCode): void {
    this.byCode.set(code, (this.byCode.get(code) ?? 0) + 1);
  }

  wouldRefuse(rule: string): void {
    this.inDryRun.set(rule, (this.inDryRun.get(rule) ?? 0) + 1);
  }
}
