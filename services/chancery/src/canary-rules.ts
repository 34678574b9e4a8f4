import type { LeftOut } from "@chancery/auditor";
import { type CanaryLog, type CanarySettings, leftOut } from "./auditor-settings.ts";
import type { Settings } from "./settings.ts";

type Rules = Pick<Settings, "rekor" | "issuers">;

/** The logs whose own rules keep the canary out: that it is refused there is no alarm, and it is not tried. */
export function canaryLeftOut(canary: CanarySettings, rules: Rules): LeftOut {
  const reasons: Partial<Record<CanaryLog, string>> = {};
  for (const name of ["rekor", "rekor-v2"] as const) {
    const reason = (name === "rekor" ? closedByV1(rules) : undefined) ?? closedByAdmission(name, canary, rules);
    if (reason !== undefined) reasons[name] = reason;
  }
  return { ...reasons, ...leftOut(canary.logs, "chancery.auditor.canary.logs") };
}

/** The canary writes what every client writes, a hashedrekord. */
function closedByV1({ rekor: { entryKinds, enabledOperations } }: Rules): string | undefined {
  if (entryKinds?.includes("hashedrekord") === false) return "chancery.rekor.entry-kinds has no hashedrekord";
  if (enabledOperations?.includes("createLogEntry") === false) {
    return "chancery.rekor.api-operations has no createLogEntry";
  }
  return undefined;
}

function closedByAdmission(log: CanaryLog, { tokenFile }: CanarySettings, { rekor, issuers }: Rules) {
  const { callers, signers } = rekor.admission?.[log] ?? {};
  const key = `chancery.rekor.admission.${log}`;
  // In development the identity provider beside it names anyone.
  const hasToken = tokenFile !== undefined || issuers === undefined;
  const token = "and the canary has no token (chancery.auditor.canary.token-file)";
  if (callers !== undefined && callers.tokens.length === 0) return `${key}.callers lets in certificates alone`;
  if (callers !== undefined && !hasToken) return `${key}.callers asks for a token, ${token}`;
  if (signers?.ownCa === false) return `${key}.signers lets in keys alone`;
  if (signers !== undefined && !hasToken) return `${key}.signers asks for a certificate, ${token}`;
  return undefined;
}
