import { sha256 } from "@chancery/crypto";
import { decodeBase64Url, type JsonObject, parseJson } from "@chancery/encoding";
import { Malformed, TooLarge, Unsupported, Unverified } from "@chancery/fault";

/** A compact JWS, taken apart. Nothing about it is verified: only `issuer` may be used, to look up who can. */
export interface UnverifiedToken {
  readonly compact: string;
  /** One of {@link ALGORITHMS}. */
  readonly algorithm: string;
  /** Which of its issuer's keys signed it, if it says so. */
  readonly keyId: string | undefined;
  readonly signature: Uint8Array;
  readonly issuer: string;
  readonly subject: string;
  readonly claims: JsonObject;
}

/** The checks that taking a token apart consists of. */
export const SHAPE_CHECKS = ["token-shape", "token-algorithm", "token-claims"] as const;

/** Runs them for who wants to know how each ends. MUST return what `work` returns or throw what it throws. */
export interface ShapeChecks {
  find<T>(check: (typeof SHAPE_CHECKS)[number], work: () => T): T;
}

export const MAX_TOKEN_CHARACTERS = 32 * 1024;
const MAX_KEY_ID_CHARACTERS = 1024;
const MAX_ISSUER_CHARACTERS = 512;

/** Before anything is decoded or split: no JWE, no JSON serialization, no padding, no white space. */
const SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Asymmetric ones only: a public key must never verify as the secret of an HMAC. `none` is no algorithm. */
const ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA".split(" ");

/** RFC 7515, Section 3.1, and RFC 7519. Every complaint is free of the token's contents: it is sent and logged. */
export function parseIdentityToken(compact: string, checks: ShapeChecks = UNWATCHED): UnverifiedToken {
  const { header, payload, signature } = checks.find("token-shape", () => splitToken(compact));
  const jose = checks.find("token-algorithm", () => parseHeader(decodePart(header, "header")));
  return checks.find("token-claims", () => {
    const claims = decodePart(payload, "payload");
    return {
      compact,
      ...jose,
      signature,
      issuer: identifier(claims, "iss", MAX_ISSUER_CHARACTERS),
      subject: identifier(claims, "sub", MAX_TOKEN_CHARACTERS),
      claims,
    };
  });
}

const UNWATCHED: ShapeChecks = { find: (_check, work) => work() };

/** Of the claims as the issuer wrote them, so that whoever holds the token can find what became of it. */
export function claimsHash({ compact }: UnverifiedToken): Uint8Array {
  return sha256(Buffer.from(compact.slice(compact.indexOf(".") + 1, compact.lastIndexOf(".")), "base64url"));
}

function splitToken(compact: string): { header: string; payload: string; signature: Uint8Array } {
  if (compact === "") throw new Malformed("no identity token was given");
  if (compact.length > MAX_TOKEN_CHARACTERS) {
    throw new TooLarge(`the token has more than ${MAX_TOKEN_CHARACTERS} characters`);
  }
  if (!SHAPE.test(compact)) throw new Malformed("the token is not a compact JWS");
  const [header, payload, signature] = compact.split(".", 3) as [string, string, string];
  return { header, payload, signature: decodeBase64Url(signature, "the token's signature") };
}

function decodePart(text: string, part: string): JsonObject {
  let value;
  try {
    // Some issuers write IDs beyond 2^53 as numbers; no claim that we use is one.
    value = parseJson(decodeBase64Url(text, part), part, { roundIntegers: true });
  } catch (cause) {
    throw new Malformed(`the token's ${part} is not JSON in canonical base64url`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Malformed(`the token's ${part} is not an object`);
  }
  return value as JsonObject;
}

/** `jku`, `x5u`, `jwk` and `x5c` are the sender's own word on which key to believe: nothing here reads them. */
function parseHeader(header: JsonObject): Pick<UnverifiedToken, "algorithm" | "keyId"> {
  const { alg, kid } = header;
  if (typeof alg !== "string" || !ALGORITHMS.includes(alg)) {
    throw new Unsupported(`the token's alg is none of ${ALGORITHMS.join(", ")}`);
  }
  if (kid !== undefined && (typeof kid !== "string" || kid.length > MAX_KEY_ID_CHARACTERS)) {
    throw new Malformed("the token's kid is not a short string");
  }
  // RFC 7515, Section 4.1.11: "If any of the listed extension Header Parameters are not understood … the JWS is
  // invalid". None is understood; `b64` (RFC 7797) and `zip` change what was signed.
  for (const name of ["crit", "b64", "zip", "enc"]) {
    if (name in header) throw new Unsupported(`the token's header has ${name}`);
  }
  return { algorithm: alg, keyId: kid === "" ? undefined : kid };
}

function identifier(claims: JsonObject, name: string, longest: number): string {
  const value = claims[name];
  if (typeof value !== "string" || value === "") throw new Malformed(`the token has no ${name}`);
  if (value.length > longest) throw new Malformed(`the token's ${name} is too long`);
  return value;
}

/** OpenID Connect Core, Section 3.1.3.7, step 3: "contains its client_id", letter for letter. */
export function assertAudience(token: UnverifiedToken, clientId: string): void {
  const { aud } = token.claims;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.every((audience) => typeof audience === "string")) {
    throw new Malformed("the token's aud is not a string or an array of strings");
  }
  if (!audiences.includes(clientId)) throw new Unverified("the token is for another audience");
}

/** As upstream: clocks of CI systems run ahead. */
const NOT_BEFORE_LEEWAY_SECONDS = 5 * 60;

/**
 * RFC 7519, Sections 4.1.4 to 4.1.6. No leeway after `exp`: a leaked token ends when it says so.
 *
 * `longestLife` bounds how long a leaked one is good for, whatever its issuer thinks.
 */
export function assertTimes(token: UnverifiedToken, now: number, longestLife: number): void {
  const [exp, iat, nbf] = (["exp", "iat", "nbf"] as const).map((name) => numericDate(token.claims, name));
  if (exp === undefined) throw new Malformed("the token has no exp");
  if (exp < now) throw new Unverified("the token is expired");
  if (nbf !== undefined && nbf > now + NOT_BEFORE_LEEWAY_SECONDS) throw new Unverified("the token is not valid yet");
  if (iat !== undefined && iat > now + NOT_BEFORE_LEEWAY_SECONDS) {
    throw new Unverified("the token was issued in the future");
  }
  if (exp - Math.min(iat ?? now, now) > longestLife) {
    throw new Unverified(`the token is valid for more than ${longestLife} seconds`);
  }
}

function numericDate(claims: JsonObject, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || value < 0) throw new Malformed(`the token's ${name} is not a date in seconds`);
  return value;
}
