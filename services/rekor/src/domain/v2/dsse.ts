import { hash, sha256, verifyDigestAside } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import { preAuthenticationEncoding } from "../entries/dsse-envelope.ts";
import { readStatement, statementDigests } from "../entries/in-toto-statement.ts";
import { leafOf, requireDigestScheme, type V2Leaf } from "./hashedrekord.ts";
import { readVerifier, type RequestVerifier } from "./request-verifier.ts";

/** dev.sigstore.rekor.v2.DSSERequestV002, which upstream took until its version 2.3. */
export interface DsseRequest {
  readonly envelope: {
    readonly payloadType: string;
    readonly payload: Uint8Array;
    readonly signatures: readonly Uint8Array[];
  };
  readonly verifiers: readonly RequestVerifier[];
}

/**
 * Logs the envelope as what its signature is over: the hashedrekord of its pre-authentication encoding (DSSE protocol,
 * "Signature Definition"). Newer clients make that entry themselves, and all of them verify it; the dsse 0.0.2 entry that
 * was made of this request upstream is refused by sigstore-go since 1.2 and by sigstore-python since 4.3.
 *
 * One signature by one verifier, since an entry of this kind has no more. What cosign and sigstore-js send has one.
 */
export async function parseDsse({ envelope, verifiers }: DsseRequest): Promise<V2Leaf> {
  const field = "dsseRequestV002";
  const [content, ...otherSignatures] = envelope.signatures;
  const [sent, ...otherVerifiers] = verifiers;
  if (content === undefined || otherSignatures.length > 0) {
    throw new Malformed(`${field}.envelope.signatures: must be one, has ${envelope.signatures.length}`);
  }
  if (sent === undefined || otherVerifiers.length > 0) {
    throw new Malformed(`${field}.verifiers: must be one, has ${verifiers.length}`);
  }
  const read = readVerifier(sent, `${field}.verifiers.0`);
  requireDigestScheme(read, sent, `${field}.verifiers.0`);
  const digest = hash(read.scheme.hash, preAuthenticationEncoding(envelope));
  if (!(await verifyDigestAside(read.verifier.publicKey, read.scheme.hash, digest, content))) {
    throw new Unverified(`${field}.envelope.signatures.0: does not verify with this key`);
  }
  const leaf = leafOf(digest, { content, verifier: sent }, read);
  const { payloadType, payload } = envelope;
  const statement = readStatement(payloadType, payload, `${field}.envelope.payload`);
  return {
    ...leaf,
    statement,
    searchTexts: [...leaf.searchTexts, `sha256:${encodeHex(sha256(payload))}`, ...statementDigests(statement)],
  };
}
