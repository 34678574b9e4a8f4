import { type PublicKey, sha256Hex } from "@chancery/crypto";
import { utf8 } from "@chancery/encoding";
import type { Certificate, SubjectAlternativeName } from "@chancery/x509";
import type { Verifier } from "./verifier.ts";

/** A verifier of which the log keeps PEM. As text: as bytes of their own, which few ask for, it cost as much to hash as to make. */
export class PemVerifier implements Verifier {
  readonly publicKey: PublicKey;
  readonly pem: string;
  readonly certificate?: { readonly leaf: Certificate; readonly names: readonly SubjectAlternativeName[] };
  #canonical: Uint8Array | undefined;
  #digest: string | undefined;

  constructor(publicKey: PublicKey, pem: string, certificate?: Verifier["certificate"]) {
    this.publicKey = publicKey;
    this.pem = pem;
    if (certificate !== undefined) this.certificate = certificate;
  }

  get canonical(): Uint8Array {
    return (this.#canonical ??= utf8(this.pem));
  }

  get digest(): string {
    return (this.#digest ??= sha256Hex(this.pem));
  }

  get subjects(): readonly string[] {
    return this.certificate?.names.map(({ value }) => value) ?? [];
  }
}
