import type { FulcioExtensionName } from "@chancery/x509";
import type { Template } from "./template.ts";

/** How the claims of one kind of CI system become a certificate. */
export interface CiMetadata {
  /** Values for claims that a token lacks. */
  readonly defaults: ReadonlyMap<string, string>;
  readonly extensions: ReadonlyMap<FulcioExtensionName, Template>;
  readonly subjectAlternativeName: Template;
}
