import {
  type Operation,
  parseEntryKinds,
  parseKeyAlgorithms,
  parseOperations,
  type WritePolicy,
} from "@chancery/rekor";
import { type AdmissionSettings, admissionSettings } from "./admission-settings.ts";
import type { ConfigFile, OwnSection } from "./config-file.ts";

/** What the v1 API offers and takes, and who may write to either log; everything and anyone, unless told. */
export interface RekorSettings extends Omit<WritePolicy, "admission"> {
  readonly enabledOperations?: readonly Operation[];
  readonly admission?: Readonly<Partial<Record<RekorLogName, AdmissionSettings>>>;
}

type RekorLogName = "rekor" | "rekor-v2";

/** `url`: where this installation is. */
export async function rekorSettings(file: ConfigFile | undefined, url: string): Promise<RekorSettings> {
  const section: NonNullable<OwnSection["rekor"]> = file?.own.rekor ?? {};
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
    ...(file !== undefined && section.admission !== undefined && { admission: await admissions(section, file, url) }),
  };
}

async function admissions(
  { admission = {} }: NonNullable<OwnSection["rekor"]>,
  file: ConfigFile,
  url: string,
): Promise<NonNullable<RekorSettings["admission"]>> {
  const result: Partial<Record<RekorLogName, AdmissionSettings>> = {};
  for (const name of ["rekor", "rekor-v2"] as const) {
    const section = admission[name];
    if (section !== undefined)
      result[name] = await admissionSettings(section, `chancery.rekor.admission.${name}`, file, url);
  }
  return result;
}
