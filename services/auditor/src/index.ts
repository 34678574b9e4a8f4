export { AuditorModule, type AuditorConfig } from "./auditor.module.ts";
export { AUDITOR_OFF, type AuditView } from "./audit-view.ts";
export { checkDatabase, type DatabaseCheck } from "./database/check-database.ts";
export { type LogIdentity, openCheckpoint, type SignedHead } from "./domain/checkpoint.ts";
export { describePlace, Difference, type Place } from "./domain/difference.ts";
export type { CleanLog, Progress } from "./domain/progress.ts";
export { checkUrl, type UrlCheck } from "./public/check-url.ts";
export { Auditor, type AuditorOptions, type AuditStatus, type Insight } from "./watch/auditor.ts";
export type { Alarm, CheckStatus } from "./domain/alarm.ts";
