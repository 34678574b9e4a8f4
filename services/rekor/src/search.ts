// What an export of entries has of the search: its filters, what it finds and how it tells it. A door of its own, for
// threads: behind the other one Nest and Fastify are read, which takes a second of each thread.
export { FILTER_NAMES } from "./domain/search/condition.ts";
export { describe as describeLogged, meetsAll } from "./domain/search/log-search.ts";
export type { Search } from "./domain/search/log-search.ts";
export { NAMED_V2, type NamedLog, namedShard } from "./domain/search/searched-log.ts";
export { rekorV2Origin } from "./domain/v2/tree-head-signer.ts";
export { encodeFoundEntry } from "./http/search/entry-json.ts";
export { readSearch } from "./http/search/search-parameters.ts";
