import { encodePem } from "@chancery/encoding";
import type { CertificateAuthority, IssuedCertificate } from "../domain/certificate-authority.ts";

export const PEM_CERTIFICATE_CHAIN = "application/pem-certificate-chain";

/** The authority's chain as the APIs write it; it does not change while the process runs. */
export class AuthorityChain {
  /** Each with the newline at its end. */
  readonly pems: readonly string[];
  readonly #trimmed: readonly string[];

  constructor(authority: CertificateAuthority) {
    this.pems = authority.chain.map(({ der }) => encodePem("CERTIFICATE", der));
    this.#trimmed = this.pems.map((pem) => pem.trimEnd());
  }

  /** All in one text, with empty lines between, as upstream's is put together. */
  get text(): string {
    return this.pems.join("\n").trim();
  }

  /** The message of the second API. Without a CT log it is the form for an SCT that comes apart, and there is none. */
  signingCertificate({ certificate, isLogged }: IssuedCertificate): object {
    const chain = { certificates: this.below(certificate) };
    return isLogged
      ? { signedCertificateEmbeddedSct: { chain } }
      : { signedCertificateDetachedSct: { chain, signedCertificateTimestamp: "" } };
  }

  /** A leaf and the chain above it, without newlines at their ends. */
  below(leaf: Uint8Array): string[] {
    return [encodePem("CERTIFICATE", leaf).trimEnd(), ...this.#trimmed];
  }
}
