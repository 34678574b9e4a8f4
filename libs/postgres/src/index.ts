export { Database } from "./database.ts";
export { OutcomeUnknown, type Prepared, type Queryable, type Transaction } from "./queryable.ts";
export { bigintArray, bytesArray, FixedArrayWriter, fixedArray, integerArray, textArray } from "./binary-array.ts";
export { startEmbedded, type EmbeddedOptions, type EmbeddedPostgres } from "./embedded.ts";
export { migrate, type Migration } from "./migrate.ts";
export { grantUse, quoted, rightsBeyondUse, type Schema } from "./schema.ts";
export { runningEmbedded } from "./embedded/running.ts";
