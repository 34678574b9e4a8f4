import { verifySignature } from "@chancery/crypto";
import { Unverified } from "@chancery/fault";
import { parseVerifier } from "../verifier.ts";
import type { SignatureFormat } from "./signature-format.ts";

/** A bare signature, by a PEM public key or by a certificate with or without its chain. */
export const x509: SignatureFormat = {
  name: "x509",
  parseKey: ({ bytes, field }) => parseVerifier(bytes, field),
  verify({ artifact, signature, key }, budget) {
    const verifier = parseVerifier(key.bytes, key.field, budget);
    budget.spend(verifier.publicKey, key.field);
    // Upstream hashes with SHA-256 for every key; Ed25519 is the plain one.
    if (!verifySignature(verifier.publicKey, artifact, signature.bytes, "sha256")) {
      throw new Unverified(`${signature.field}: signature does not verify over the data with this key`);
    }
    return { key: verifier, signature: signature.bytes };
  },
};
