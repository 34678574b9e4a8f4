export { ExplorerModule, type ExplorerLinks } from "./explorer.module.ts";
export type { About, PasteLines } from "./domain/about.ts";
export { chooseCoding } from "./domain/site.ts";
