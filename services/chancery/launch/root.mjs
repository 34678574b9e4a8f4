import { join } from "node:path";

/** The workspace. */
export const ROOT = join(import.meta.dirname, "../../..");
