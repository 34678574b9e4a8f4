import type { About } from "@chancery/explorer";
import { CANARY_IDENTITY } from "./auditor-beside.ts";
import { type BannerFacts, DEVELOPMENT_WARNING, pasteLines, places } from "./banner.ts";

/** What the banner says, for the explorer's page on signing. The data folder is no visitor's business. */
export function about(facts: BannerFacts): About {
  return {
    url: facts.url,
    ...(facts.identityProvider === undefined ? {} : { warning: DEVELOPMENT_WARNING }),
    places: places(facts).filter(([name]) => name !== "Data" && name !== "Database"),
    paste: pasteLines(facts),
    // The identity provider beside the services is whom the auditor has its token of.
    ...(facts.identityProvider === undefined ? {} : { canaryIdentity: CANARY_IDENTITY }),
  };
}
