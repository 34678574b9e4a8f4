import { Malformed } from "@chancery/fault";
import type { NewEntry } from "@chancery/log";
import { MAX_BUNDLED_ENTRY_BYTES } from "@chancery/tlog";
import { assertSigners } from "../admission.ts";
import type { ProposalPolicy } from "../judge-proposal.ts";
import { newEntryOf } from "../search/new-entry.ts";
import { assertKeyAllowed } from "../write-policy.ts";
import { type DsseRequest, parseDsse } from "./dsse.ts";
import { type HashedRekordRequest, parseHashedRekord } from "./hashedrekord.ts";

/** dev.sigstore.rekor.v2.CreateEntryRequest: one of the two. */
export type CreateEntryRequest = { readonly hashedRekord: HashedRekordRequest } | { readonly dsse: DsseRequest };

/** What the log is given of a request to the v2 log, or the Fault that refuses it. */
export async function judgeRequest(
  request: CreateEntryRequest,
  policy: Pick<ProposalPolicy, "keyAlgorithms" | "signers">,
): Promise<NewEntry> {
  const parsed = await ("dsse" in request ? parseDsse(request.dsse) : parseHashedRekord(request.hashedRekord));
  const { body, signers, keyAlgorithm } = parsed;
  const verifier = "dsse" in request ? "dsseRequestV002.verifiers.0" : "hashedRekordRequestV002.signature.verifier";
  assertKeyAllowed(keyAlgorithm, policy, `${verifier}.keyDetails`);
  assertSigners(signers, policy.signers);
  // An entry bundle gives each entry a length of 16 bits. c2sp.org/tlog-tiles.
  if (body.length > MAX_BUNDLED_ENTRY_BYTES) {
    throw new Malformed(`entry: its canonical form has ${body.length} bytes, more than ${MAX_BUNDLED_ENTRY_BYTES}`);
  }
  // Its entries are of one kind, and no payload is kept beside them.
  return newEntryOf(parsed, 0);
}
