export { type RunningStack, type StackOptions, startStack } from "./all-in-one.ts";
export { resolveSettings, type Environment, type ServeFlags, type Settings } from "./settings.ts";
