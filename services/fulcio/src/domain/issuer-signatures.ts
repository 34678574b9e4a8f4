import { Unverified } from "@chancery/fault";
import { isSignedBy, type TokenKeys, type UnverifiedToken } from "@chancery/identity";
import type { Examiner } from "./examination.ts";
import type { ConcreteIssuer } from "./issuer-settings.ts";

/**
 * The link for services that ask nobody anything: whether a token is its issuer's, by the keys that the authority has of
 * the issuers in its configuration, and under its rules of how often one is asked.
 */
export class IssuerSignatures implements TokenKeys {
  readonly #examiner: Pick<Examiner, "pool" | "keys">;

  constructor(examiner: Pick<Examiner, "pool" | "keys">) {
    this.#examiner = examiner;
  }

  async verify(token: UnverifiedToken): Promise<boolean> {
    const issuer = this.#match(token.issuer);
    return issuer !== undefined && (await isSignedByIssuer(token, issuer, this.#examiner.keys));
  }

  #match(issuer: string): ConcreteIssuer | undefined {
    try {
      return this.#examiner.pool.match(issuer);
    } catch (error) {
      if (error instanceof Unverified) return undefined;
      throw error;
    }
  }
}

/** Keys that do not verify it may be older than the token. */
export async function isSignedByIssuer(
  token: UnverifiedToken,
  issuer: ConcreteIssuer,
  keys: Examiner["keys"],
): Promise<boolean> {
  const known = await keys.current(issuer);
  if (await isSignedBy(token, known)) return true;
  const newer = await keys.newerThan(known, issuer);
  return newer !== undefined && (await isSignedBy(token, newer));
}
