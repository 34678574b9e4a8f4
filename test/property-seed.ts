import { configureGlobal } from "fast-check";

// Properties draw anew on each run. Where a failure costs a landing and not a look, the draw is fixed instead.
const seed = process.env["PROPERTY_SEED"];
if (seed !== undefined) configureGlobal({ seed: Number(seed) });
