import type { About } from "@chancery/explorer";
import { type BannerFacts, DEVELOPMENT_WARNING, pasteLines, places } from "./banner.ts";

/** What the banner says, for the explorer's page on signing. The data folder is no visitor's business. */
export function about(facts: BannerFacts): About {
  return {
    url: facts.url,
    ...(facts.identityProvider === undefined ? {} : { warning: DEVELOPMENT_WARNING }),
    places: places(facts).filter(([name]) => name !== "Data" && name !== "Database"),
    paste: pasteLines(facts),
  };
}
