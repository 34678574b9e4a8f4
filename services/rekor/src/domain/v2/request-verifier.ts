import { type PublicKey, type SignatureScheme, parsePublicKey, signatureScheme } from "@chancery/crypto";
import { encodePem } from "@chancery/encoding";
import { Malformed, Unsupported } from "@chancery/fault";
import { certificatePublicKey, parseCertificate, parseSubjectAlternativeNames } from "@chancery/x509";
import { PemVerifier } from "../pem-verifier.ts";
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
export interface ReadVerifier {
  readonly verifier: Verifier;
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
  return { verifier, scheme };
}

function ofKey(der: Uint8Array, field: string): Verifier {
  const at = `${field}.publicKey.rawBytes`;
  assertNoPem(der, at);
  const publicKey: PublicKey = parsePublicKey(der, at);
  return new PemVerifier(publicKey, encodePem("PUBLIC KEY", der));
}

function ofCertificate(der: Uint8Array, field: string): Verifier {
  const at = `${field}.x509Certificate.rawBytes`;
  assertNoPem(der, at);
  const certificate = parseCertificate(der, at);
  const names = parseSubjectAlternativeNames(certificate);
  if (names.length > MAX_SUBJECTS) throw new Malformed(`${at}: more than ${MAX_SUBJECTS} alternative names`);
  const publicKey = certificatePublicKey(certificate);
  return new PemVerifier(publicKey, encodePem("CERTIFICATE", der), { leaf: certificate, names });
}

/** What people have at hand, and v1 takes. Its first octet is a dash, which begins no SEQUENCE. */
function assertNoPem(der: Uint8Array, field: string): void {
  if (der[0] === 0x2d)
    throw new Malformed(`${field}: is PEM; its DER is wanted, which is the base64 between its lines`);
}
