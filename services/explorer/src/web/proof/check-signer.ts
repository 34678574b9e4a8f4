import { concatBytes, decodeHex, equalBytes, utf8 } from "@chancery/encoding";
import { Unverified } from "@chancery/fault";
import type { BodySignature, Digest, EntryBody } from "../statement/entry-body.ts";
import type { LoggedEntry } from "./logged-entry.ts";
import { fingerprint } from "./public-key.ts";
import { type DigestAlgorithm, digestOf, verifyDigest, verifyMessage } from "./signature.ts";
import type { Finding } from "./step.ts";

export const IN_TOTO = "application/vnd.in-toto+json";

/** Whether the signature in the entry is over the digest in the entry, by the key in the entry. */
export async function checkSigner(body: EntryBody, { payload, payloadType }: LoggedEntry): Promise<Finding> {
  const complete = body.signatures.filter(
    (one): one is Required<Pick<BodySignature, "key" | "signature">> & BodySignature =>
      one.key !== undefined && one.signature !== undefined,
  );
  const [digest] = body.digests;
  if (complete.length === 0 || complete.length < body.signatures.length || digest === undefined) {
    return open("What this kind of entry signs is not read here. The log verified it before it took the entry.");
  }
  const values = complete.map(({ key }) => ["Key", `${key.algorithm}, SHA-256 ${fingerprint(key).toHex()}`] as const);
  if (body.signed === "artifact-digest") {
    const hash = hashNamed(digest);
    if (hash === undefined) return open(`A digest by ${digest.algorithm} is not checked here.`);
    const bytes = decodeHex(digest.hex, "digest");
    if (complete.some(({ key }) => key.algorithm === "Ed25519" && hash !== "sha512")) {
      return open("An Ed25519 signature is over the artifact itself, which is not in the log: check it with the file.");
    }
    if (!complete.every(({ key, signature }) => verifyDigest(key, hash, bytes, signature))) {
      throw new Unverified("the signature in the entry is not over this digest by this key");
    }
    return { state: "passed", words: "The signature is over this digest, by this key.", values };
  }
  if (payload === undefined || body.signed !== "dsse") {
    return open("The signature is over a statement of which the log keeps only the digest: check it with the bundle.");
  }
  const message = preAuthenticationEncoding(body.payloadType ?? payloadType ?? IN_TOTO, payload);
  for (const { key, signature } of complete) {
    if (!(await verifyMessage(key, message, signature))) {
      throw new Unverified("the signature in the entry is not over this statement by this key");
    }
  }
  return { state: "passed", words: "The signature is over the statement shown above, by this key.", values };
}

/** The log's tree holds the payload's digest only: the payload that is shown must be that one. */
export function checkPayload(
  { payloadDigest, digests, signed }: EntryBody,
  { payload, payloadType = IN_TOTO }: LoggedEntry,
): Finding {
  if (payload === undefined) return open("No statement is kept beside this entry.");
  // A v2 log takes an attestation as the hashedrekord of its pre-authentication encoding.
  const [expected, bytes] =
    signed === "artifact-digest"
      ? [digests[0], preAuthenticationEncoding(payloadType, payload)]
      : [payloadDigest, payload];
  const hash = expected && hashNamed(expected);
  if (expected === undefined || hash === undefined) return open("The entry names no digest of the statement.");
  if (!equalBytes(digestOf(hash, bytes), decodeHex(expected.hex, "digest"))) {
    throw new Unverified("the statement that the server tells is not the one whose digest was logged");
  }
  return {
    state: "passed",
    words: "Its digest is the one in the entry.",
    values: [["Digest", `${expected.algorithm}:${expected.hex}`]],
  };
}

/** "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body, lengths in decimal. */
export function preAuthenticationEncoding(type: string, payload: Uint8Array): Uint8Array {
  return concatBytes(utf8(`DSSEv1 ${utf8(type).length} ${type} ${payload.length} `), payload);
}

export function hashNamed({ algorithm, hex }: Digest): DigestAlgorithm | undefined {
  const lengths = { sha256: 64, sha384: 96, sha512: 128 } as const;
  return algorithm in lengths && hex.length === lengths[algorithm as DigestAlgorithm]
    ? (algorithm as DigestAlgorithm)
    : undefined;
}

function open(words: string): Finding {
  return { state: "open", words };
}
