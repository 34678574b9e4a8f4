import {
  type Operation,
  parseEntryKinds,
  parseKeyAlgorithms,
  parseOperations,
  type WritePolicy,
} from "@chancery/rekor";
import type { OwnSection } from "./config-file.ts";

/** What the v1 API offers and takes; everything, unless told. */
export interface RekorSettings extends WritePolicy {
  readonly enabledOperations?: readonly Operation[];
}

export function rekorSettings(section: NonNullable<OwnSection["rekor"]>): RekorSettings {
  const kinds = section["entry-kinds"];
  const operations = section["api-operations"];
  const algorithms = section["client-signing-algorithms"];
  const bytes = section["attestation-bytes"];
  return {
    ...(kinds && { entryKinds: parseEntryKinds(kinds, "chancery.rekor.entry-kinds") }),
    ...(operations && { enabledOperations: parseOperations(operations, "chancery.rekor.api-operations") }),
    ...(algorithms && {
      keyAlgorithms: parseKeyAlgorithms(algorithms, "chancery.rekor.client-signing-algorithms"),
    }),
    ...(bytes !== undefined && { attestationBytes: bytes }),
  };
}
