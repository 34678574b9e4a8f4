import { canonicalJson, utf8 } from "@chancery/encoding";
import { TooLarge, Unsupported } from "@chancery/fault";
import { alpine } from "./alpine.ts";
import { cose } from "./cose.ts";
import { dsse } from "./dsse.ts";
import type { EntryKind, ParsedEntry, ProposedEntry } from "./entry-kind.ts";
import { ENTRY_KIND_NAMES, type EntryKindName } from "./entry-kind-names.ts";
import { helm } from "./helm.ts";
import { rpm } from "./rpm.ts";
import { hashedrekord } from "./hashedrekord.ts";
import { intoto } from "./intoto.ts";
import { jar } from "./jar.ts";
import { rekord } from "./rekord.ts";
import { rfc3161 } from "./rfc3161.ts";
import { tuf } from "./tuf.ts";

/** Every kind that can be logged. To add one: a file beside this one, its name in `entry-kind-names.ts`, and its line here. */
const ENTRY_KINDS: Readonly<Record<EntryKindName, EntryKind>> = {
  hashedrekord,
  dsse,
  intoto,
  cose,
  rekord,
  rfc3161,
  jar,
  alpine,
  helm,
  rpm,
  tuf,
};

/** The length prefix of an entry bundle has 16 bits (c2sp.org/tlog-tiles): what is longer could not be published. */
const MAX_BODY_BYTES = 65_535;

/** Verifies a proposal by its kind's rules. */
export async function parseEntry(proposed: ProposedEntry): Promise<ParsedEntry> {
  const parsed = await kindOf(proposed).parse(proposed);
  if (parsed.body.length > MAX_BODY_BYTES) {
    throw new TooLarge(`spec: the entry to log has ${parsed.body.length} bytes, more than ${MAX_BODY_BYTES}`);
  }
  return parsed;
}

/**
 * The body to look for in the log: of a proposal, or of an entry that came out of the log. Verifies the
 * former; the latter is found or not, and is not believed either way.
 */
export async function bodyOf(proposed: ProposedEntry): Promise<Uint8Array> {
  const { apiVersion, kind, spec } = proposed;
  if (kindOf(proposed).isStored(spec)) return utf8(canonicalJson({ apiVersion, kind, spec }));
  return (await parseEntry(proposed)).body;
}

function kindOf({ kind, apiVersion }: ProposedEntry): EntryKind {
  const name = ENTRY_KIND_NAMES.find((each) => each === kind);
  if (name === undefined) throw new Unsupported(`kind: entry kind '${kind}' is not enabled on this server`);
  const found = ENTRY_KINDS[name];
  if (!found.apiVersions.includes(apiVersion)) {
    throw new Unsupported(`apiVersion: ${kind} implementation for version '${apiVersion}' not found`);
  }
  return found;
}
