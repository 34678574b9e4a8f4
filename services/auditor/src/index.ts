export { checkDatabase, type DatabaseCheck } from "./database/check-database.ts";
export { type LogIdentity, openCheckpoint, type SignedHead } from "./domain/checkpoint.ts";
export { describePlace, Difference, type Place } from "./domain/difference.ts";
export type { CleanLog, Progress } from "./domain/progress.ts";
export { checkUrl, type UrlCheck } from "./public/check-url.ts";
