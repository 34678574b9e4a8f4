import { type PublicKey, type SignatureScheme, parsePublicKey, signatureScheme } from "@chancery/crypto";
import { encodePem, utf8 } from "@chancery/encoding";
import { Malformed, Unsupported } from "@chancery/fault";
import { certificatePublicKey, parseCertificate, parseSubjectAlternativeNames } from "@chancery/x509";
import { MAX_SUBJECTS, type Verifier } from "../verifier.ts";

/**
 * Who made a signature, as dev.sigstore.rekor.v2.Verifier has it:
 *
 *     oneof verifier { PublicKey public_key = 1; X509Certificate x509_certificate = 2; }   each { bytes raw_bytes = 1; }
 *     PublicKeyDetails key_details = 3;
 */
export interface RequestVerifier {
  readonly form: "publicKey" | "x509Certificate";
  /** DER. It is logged as it was sent, since clients rebuild the leaf from their bundles. */
  readonly rawBytes: Uint8Array;
  /** A name of PublicKeyDetails. */
  readonly keyDetails: string;
}

/** A request's verifier with its key read, and the scheme that the key is to be used with. */
export interface ReadVerifier extends Verifier {
  readonly scheme: SignatureScheme;
}

/**
 * `field` is the verifier's path in the request.
 *
 * The label MUST fit the key: upstream logs a P-256 key labelled RSA, and no verifier can make sense of that entry.
 */
export function readVerifier({ form, rawBytes, keyDetails }: RequestVerifier, field: string): ReadVerifier {
  const scheme = signatureScheme(keyDetails);
  if (scheme === undefined) {
    throw new Unsupported(`${field}.keyDetails: ${keyDetails} is not a signature scheme that is logged here`);
  }
  const verifier = form === "publicKey" ? ofKey(rawBytes, field) : ofCertificate(rawBytes, field);
  if (verifier.publicKey.algorithm !== scheme.algorithm) {
    throw new Malformed(`${field}.keyDetails: says ${scheme.algorithm}, the key is ${verifier.publicKey.algorithm}`);
  }
  return { ...verifier, scheme };
}

function ofKey(der: Uint8Array, field: string): Verifier {
  const publicKey: PublicKey = parsePublicKey(der, `${field}.publicKey.rawBytes`);
  return { publicKey, canonical: utf8(encodePem("PUBLIC KEY", der)), subjects: [] };
}

function ofCertificate(der: Uint8Array, field: string): Verifier {
  const at = `${field}.x509Certificate.rawBytes`;
  const certificate = parseCertificate(der, at);
  const names = parseSubjectAlternativeNames(certificate);
  const subjects = names.map((name) => name.value);
  if (subjects.length > MAX_SUBJECTS) throw new Malformed(`${at}: more than ${MAX_SUBJECTS} alternative names`);
  return {
    publicKey: certificatePublicKey(certificate),
    canonical: utf8(encodePem("CERTIFICATE", der)),
    subjects,
    certificate: { leaf: certificate, names },
  };
}
