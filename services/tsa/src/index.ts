export { TimestampAuthority, type TimestampAuthorityOptions } from "./domain/timestamp-authority.ts";
export { parseTimestampRequestJson } from "./domain/timestamp-request-json.ts";
export { parseTimestampRequest, type TimestampRequest } from "./domain/timestamp-request.ts";
export { type TsaConfig, type TsaLinks, TsaModule } from "./tsa.module.ts";
