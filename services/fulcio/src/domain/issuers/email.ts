import type { JsonValue } from "@chancery/encoding";
import { Malformed, Misconfigured, Unverified } from "@chancery/fault";
import { claimText, plainText, type VerifiedClaims } from "../claims.ts";
import type { IssuerType } from "../issuer-type.ts";

/** People. The name is the `email` claim, which the issuer must have verified. */
export const email: IssuerType = {
  name: "email",
  challengeClaim: "email",

  configure(settings) {
    const issuerOf = issuerClaimReader(settings.key, settings.issuerClaim);
    return (claims) => {
      const address = claimText(claims, "email");
      if (!settings.skipEmailVerification && !isVerified(claims.all["email_verified"])) {
        throw new Unverified("email_verified claim was false");
      }
      if (!isEmailAddress(address)) throw new Malformed("email address is not valid");
      return {
        name: address,
        san: { type: "email", value: address },
        extensions: { issuer: issuerOf(claims), "token-subject": plainText(claims.subject, "sub") },
      };
    };
  },
};

/** The forms upstream takes: a boolean, or the words some providers write instead. */
export function isVerified(value: JsonValue | undefined): boolean {
  return value === true || value === "true" || value === "True";
}

// RFC 5322, Section 3.4.1, addr-spec without comments, quoted strings, domain literals and obsolete forms, and in
// ASCII only: a verifier compares the certificate's text with one that a person typed.
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN = /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** RFC 5321, Section 4.5.3.1: at most 64 octets before the @ and 254 in all. */
export function isEmailAddress(text: string): boolean {
  const at = text.indexOf("@");
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)];
  return at > 0 && at <= 64 && text.length <= 254 && LOCAL_PART.test(local) && DOMAIN.test(domain);
}

// RFC 9535, the part in use: $.name and $['name'], one after the other.
const STEP = /^(?:\.([A-Za-z_][A-Za-z0-9_-]*)|\['([^'\\]+)'\]|\["([^"\\]+)"\])/;

/**
 * A federating issuer (Dex) writes who really vouched for the person into a claim of its own; the
 * certificate then names that one as its issuer.
 */
function issuerClaimReader(key: string, path: string | undefined): (claims: VerifiedClaims) => string {
  if (path === undefined) return (claims) => claims.issuer;
  const names = parsePath(`${key}.issuer-claim`, path);
  return (claims) => {
    let value: JsonValue | undefined = claims.all;
    for (const name of names) {
      const isObject: boolean = typeof value === "object" && value !== null && !Array.isArray(value);
      value = isObject ? (value as Record<string, JsonValue>)[name] : undefined;
    }
    if (value === undefined || value === "") throw new Malformed("the issuer claim is missing in the ID token");
    return plainText(value, "issuer");
  };
}

function parsePath(key: string, path: string): string[] {
  const names: string[] = [];
  let rest = path.startsWith("$") ? path.slice(1) : "";
  while (rest !== "") {
    const [step, dotted, single, double] = STEP.exec(rest) ?? [];
    const name = dotted ?? single ?? double;
    if (step === undefined || name === undefined) break;
    names.push(name);
    rest = rest.slice(step.length);
  }
  if (names.length === 0 || rest !== "") {
    throw new Misconfigured(key, "only paths of names are supported, such as $.federated_claims.connector_id");
  }
  return names;
}
