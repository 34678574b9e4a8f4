import { type ApiPart, list, object, orNull, responses, schema, schemaOf } from "@chancery/service";

const { string, decimal, hex, count } = schema;
/** To the millisecond. */
const instant = { type: "string", format: "date-time" };

/** What the auditor found: its part of `/api/chancery/v1`. */
export const auditApi: ApiPart = {
  paths: {
    "/api/chancery/v1/audit": {
      get: {
        operationId: "getAudit",
        summary: "What the auditor of this process found",
        responses: responses("Audit"),
      },
    },
    "/api/chancery/v1/audit/canary-keys": {
      get: {
        operationId: "getCanaryKeys",
        summary:
          "The newest keys that the auditor's canary signed by: the first 32 digits of each SubjectPublicKeyInfo's SHA-256",
        responses: responses("CanaryKeys"),
      },
    },
    "/api/chancery/v1/audit/evidence/{name}": {
      get: {
        operationId: "getEvidence",
        summary: "What was stored when an alarm was raised",
        parameters: [
          {
            name: "name",
            in: "path",
            required: true,
            schema: string,
            description: "The last part of the path that the alarm names.",
          },
        ],
        responses: responses("Evidence", true),
      },
    },
  },
  schemas: {
    Audit: object({
      auditor: { enum: ["running", "off"] },
      since: orNull(instant),
      lastPass: orNull(instant),
      logs: list(schemaOf("AuditedLog")),
      checks: list(schemaOf("Check")),
      alarms: list(schemaOf("Alarm")),
      canary: object({
        lastSuccess: orNull(instant),
        latencyMillis: orNull({ type: "number" }),
        failures: count,
        identities: list(string),
      }),
    }),
    AuditedLog: object({
      log: string,
      size: orNull(decimal),
      verifiedSize: decimal,
      root: hex,
      lastCheckpoint: orNull(instant),
      lagSeconds: orNull({ type: "number" }),
    }),
    Check: object({
      name: string,
      state: { enum: ["passed", "failing", "unknown"] },
      at: instant,
      what: string,
      meaning: orNull(string),
      remedy: orNull(string),
      evidence: orNull(string),
    }),
    Alarm: object({
      id: string,
      since: instant,
      severity: { enum: ["critical", "warning"] },
      check: string,
      trouble: string,
      what: string,
      meaning: string,
      remedy: string,
      evidence: orNull(string),
      "subject?": string,
      "again?": instant,
      "times?": count,
      "quietSince?": instant,
      "resolved?": instant,
      "reason?": string,
    }),
    CanaryKeys: object({ keys: list({ type: "string", pattern: "^[0-9a-f]{32}$" }) }),
    Evidence: { type: "object" },
  },
};
