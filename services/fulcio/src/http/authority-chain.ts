import { encodePem } from "@chancery/encoding";
import type { CertificateAuthority } from "../domain/certificate-authority.ts";

/** The authority's chain as the APIs write it; it does not change while the process runs. */
export class AuthorityChain {
  /** Each with the newline at its end. */
  readonly pems: readonly string[];
  readonly #trimmed: readonly string[];

  constructor(authority: CertificateAuthority) {
    this.pems = authority.chain.map(({ der }) => encodePem("CERTIFICATE", der));
    this.#trimmed = this.pems.map((pem) => pem.trimEnd());
  }

  /** A leaf and the chain above it, without newlines at their ends. */
  below(leaf: Uint8Array): string[] {
    return [encodePem("CERTIFICATE", leaf).trimEnd(), ...this.#trimmed];
  }
}
