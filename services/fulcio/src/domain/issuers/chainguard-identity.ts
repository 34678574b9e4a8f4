import { Unverified } from "@chancery/fault";
import { claimText, plainText, type VerifiedClaims } from "../claims.ts";
import type { IssuerType } from "../issuer-type.ts";
import { joinPath } from "../uri.ts";
import { isVerified } from "./email.ts";

/** Chainguard's people and services, by their place in its tree of identities: `https://issuer.enforce.dev/<sub>`. */
export const chainguardIdentity: IssuerType = {
  name: "chainguard-identity",
  challengeClaim: "sub",

  configure() {
    return (claims) => {
      const subject = plainText(claims.subject, "sub");
      return {
        name: challengeOf(claims, subject),
        san: { type: "uri", value: joinPath(claims.issuer.replace(/\/$/, ""), subject) },
        extensions: { issuer: claims.issuer, "token-subject": subject },
      };
    };
  },
};

/** What cosign signs for any token (sigstore: pkg/oauthflow/flow.go): the address, if there is one, else the subject. */
function challengeOf(claims: VerifiedClaims, subject: string): string {
  const { email, email_verified: verified } = claims.all;
  if (email === undefined || email === null || email === "") return subject;
  if (!isVerified(verified)) throw new Unverified("not verified by identity provider");
  return claimText(claims, "email");
}
