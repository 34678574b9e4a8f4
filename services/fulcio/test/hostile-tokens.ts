import { createPublicKey } from "node:crypto";
import { createSigningKey, encode, type FakeIssuer, hmacJws, jws, nowSeconds, type SigningKey } from "./fake-issuer.ts";

export interface Attacked {
  readonly issuer: FakeIssuer;
  readonly rsa: FakeIssuer;
  readonly other: FakeIssuer;
  /** A server that no configuration names. */
  readonly trapUrl: string;
}

export type Forgeries = Readonly<Record<string, () => string>>;

const deep = (depth: number) => `{"iss":${JSON.stringify("x")},"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;

/** Wrong as tokens, whatever they claim: algorithms, headers, keys, shapes, issuers, audiences, times. */
export function hostileTokens({ issuer, rsa, other, trapUrl }: Attacked): Forgeries {
  const key = () => issuer.keys[0]!;
  const header = (extra: object = {}) => ({ alg: "ES256", kid: key().kid, ...extra });
  const tokenOf = (claims: object) => () => issuer.token(claims as Record<string, unknown>);
  const withHeader = (extra: object) => () => jws(header(extra), issuer.claims(), key());
  const without = (name: string) => () => issuer.token({ [name]: undefined });
  const rsaPem = () => createPublicKey(rsa.keys[0]!.privateKey).export({ type: "spki", format: "pem" });
  const rsaHeader = (alg: string) => ({ alg, kid: rsa.keys[0]!.kid });
  const stranger = createSigningKey("ES256", "stranger");
  const signedBy = (signer: SigningKey, extra: object = {}) =>
    jws({ alg: signer.algorithm, kid: key().kid, ...extra }, issuer.claims(), signer);
  const fromIssuer = (iss: string) => () => jws(header(), issuer.claims({ iss }), key());
  const edited = (edit: (parts: string[]) => string) => () => edit(issuer.token().split("."));
  return {
    // A1
    "alg none with no signature": () => `${encode({ alg: "none" })}.${encode(issuer.claims())}.`,
    "alg none with a signature": withHeader({ alg: "none" }),
    "alg NoNe": withHeader({ alg: "NoNe" }),
    "alg empty": withHeader({ alg: "" }),
    "no alg": withHeader({ alg: undefined }),
    "alg a list": withHeader({ alg: ["ES256"] }),
    "alg null": withHeader({ alg: null }),
    "alg in lower case": withHeader({ alg: "es256" }),
    // A2
    "HMAC with the public key's PEM": () => hmacJws(rsaHeader("HS256"), rsa.claims(), rsaPem()),
    "HMAC with the public key's DER": () =>
      hmacJws(
        rsaHeader("HS256"),
        rsa.claims(),
        createPublicKey(rsa.keys[0]!.privateKey).export({ type: "spki", format: "der" }),
      ),
    "HMAC with the JWK": () => hmacJws(rsaHeader("HS256"), rsa.claims(), JSON.stringify(rsa.keys[0]!.jwk)),
    "HMAC said to be RSA": () => hmacJws(rsaHeader("RS256"), rsa.claims(), rsaPem()),
    "RSA said to be ECDSA": () => jws(rsaHeader("ES256"), rsa.claims(), rsa.keys[0]!, "RS256"),
    "ECDSA said to be RSA": withHeader({ alg: "RS256" }),
    "RS256 said to be PS256": () => jws(rsaHeader("PS256"), rsa.claims(), rsa.keys[0]!, "RS256"),
    "ES256 said to be ES384": withHeader({ alg: "ES384" }),
    "said to be EdDSA": withHeader({ alg: "EdDSA" }),
    "said to be ES256K": withHeader({ alg: "ES256K" }),
    // A3
    "kid a path": () => signedBy(stranger, { kid: "../../../../dev/null" }),
    "kid SQL": () => signedBy(stranger, { kid: "' OR 1=1 --" }),
    "kid a URL": () => signedBy(stranger, { kid: `${trapUrl}/keys` }),
    "kid __proto__": () => signedBy(stranger, { kid: "__proto__" }),
    "kid of 2 kB": withHeader({ kid: "k".repeat(2_000) }),
    "kid a number": withHeader({ kid: 1 }),
    "kid an object": withHeader({ kid: { a: 1 } }),
    "jku to a stranger's keys": () => signedBy(stranger, { jku: `${trapUrl}/keys` }),
    "x5u to a stranger's certificate": () => signedBy(stranger, { x5u: `${trapUrl}/cert` }),
    "its own key in jwk": () => signedBy(stranger, { jwk: stranger.jwk }),
    "its own certificate in x5c": () => signedBy(stranger, { x5c: ["MIIB"] }),
    "an unknown critical header": withHeader({ crit: ["exp"], exp: 1 }),
    "an empty crit": withHeader({ crit: [] }),
    // A4
    "b64 false": withHeader({ b64: false, crit: ["b64"] }),
    "b64 false, not critical": withHeader({ b64: false }),
    compressed: withHeader({ zip: "DEF" }),
    "a JWE of five parts": () => "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA",
    "a JWE header on a JWS": withHeader({ enc: "A128GCM" }),
    "a token in a token": () => jws(header({ cty: "JWT" }), issuer.token(), key()),
    "JSON serialization": edited(([protectedHeader, payload, signature]) =>
      JSON.stringify({ payload, signatures: [{ protected: protectedHeader, signature }] }),
    ),
    padding: edited(([a, b, c]) => `${a}=.${b}.${c}`),
    "a space": edited(([a, b, c]) => `${a}. ${b}.${c}`),
    "a line break at the end": edited((parts) => `${parts.join(".")}\n`),
    "standard base64": edited(([a, b, c]) => `${a}.${b}.${c!.slice(0, -2)}+/`),
    "two parts": edited(([a, b]) => `${a}.${b}`),
    "four parts": edited((parts) => `${parts.join(".")}.AAAA`),
    "an empty signature": edited(([a, b]) => `${a}.${b}.`),
    "trailing bits in the signature": edited(([a, b, c]) => `${a}.${b}.${c!.slice(0, -1)}${nextLetter(c!)}`),
    "a DER signature": edited(([a, b]) => `${a}.${b}.MEUCIQDx`),
    "an all-zero signature": edited(([a, b]) => `${a}.${b}.${Buffer.alloc(64).toString("base64url")}`),
    "a changed payload": edited(([a, , c]) => `${a}.${encode(issuer.claims({ email: "root@example.com" }))}.${c}`),
    "another token's signature": () => {
      const [a, b] = issuer.token().split(".");
      return `${a}.${b}.${issuer.token({ email: "x@example.com" }).split(".")[2]}`;
    },
    // A5
    "an unconfigured issuer": () => jws(header(), issuer.claims({ iss: trapUrl }), key()),
    "issuer with a slash more": fromIssuer("@/"),
    "issuer behind a user": fromIssuer("http://127.0.0.1@trap"),
    "issuer matched in the middle": fromIssuer("?https://t.pattern.example.com/x"),
    "issuer with a query": fromIssuer("https://t.pattern.example.com/x?y"),
    "issuer with a backslash": fromIssuer("https://evil.example\\.pattern.example.com/x"),
    "issuer with a line break": fromIssuer("https://t.pattern.example.com/x\n"),
    "issuer a list": () => jws(header(), issuer.claims({ iss: [issuer.url] }), key()),
    "issuer an object": () => jws(header(), issuer.claims({ iss: { url: issuer.url } }), key()),
    "issuer of 1 kB": fromIssuer(`https://t.pattern.example.com/${"x".repeat(1_000)}`),
    "no issuer": without("iss"),
    // A6
    "another configured issuer's key": () =>
      jws({ alg: "ES256", kid: other.keys[0]!.kid }, issuer.claims(), other.keys[0]!),
    "another issuer's key under this one's kid": () => jws(header(), issuer.claims(), other.keys[0]!),
    "this issuer's key for another's token": () => jws(header(), issuer.claims({ iss: other.url }), key()),
    // A7
    "a million dots": () => ".".repeat(60_000),
    "33 KiB of payload": () => issuer.token({ pad: "x".repeat(33_000) }),
    "deep nesting": () => jws(header(), deep(5_000), key()),
    // A8
    "no audience": without("aud"),
    "audience of another": tokenOf({ aud: "other" }),
    "audience in upper case": tokenOf({ aud: "SIGSTORE" }),
    "audience with more": tokenOf({ aud: "sigstore2" }),
    "audience with a space": tokenOf({ aud: "sigstore " }),
    "audience a number": tokenOf({ aud: 1 }),
    "audience an object": tokenOf({ aud: { sigstore: true } }),
    "audience nested": tokenOf({ aud: [["sigstore"]] }),
    "audience with a stranger in its list": tokenOf({ aud: ["sigstore", 1] }),
    "audience an empty list": tokenOf({ aud: [] }),
    "audience null": tokenOf({ aud: null }),
    // A9
    expired: tokenOf({ exp: nowSeconds() - 1 }),
    "no expiry": without("exp"),
    "expiry a text": tokenOf({ exp: String(nowSeconds() + 600) }),
    "expiry without end": () =>
      jws(header(), JSON.stringify(issuer.claims({ exp: 0 })).replace('"exp":0', '"exp":1e308'), key()),
    "expiry overflowing": () =>
      jws(header(), JSON.stringify(issuer.claims({ exp: 0 })).replace('"exp":0', '"exp":1e309'), key()),
    "expiry null": tokenOf({ exp: null }),
    "expiry negative": tokenOf({ exp: -1 }),
    "expiry in milliseconds": tokenOf({ exp: Date.now() + 600_000 }),
    "valid for two days": tokenOf({ exp: nowSeconds() + 172_800 }),
    "valid from tomorrow": tokenOf({ nbf: nowSeconds() + 86_000, exp: nowSeconds() + 86_300 }),
    "not before as text": tokenOf({ nbf: "0" }),
    "issued tomorrow": tokenOf({ iat: nowSeconds() + 86_000, exp: nowSeconds() + 86_300 }),
    // A10, A20
    "no email": without("email"),
    "an email with a NUL": tokenOf({ email: "a@example.com\u0000b" }),
    "no subject": without("sub"),
    "an empty subject": tokenOf({ sub: "" }),
    "subject a number": tokenOf({ sub: 1 }),
    "a claim twice": () =>
      jws(header(), JSON.stringify(issuer.claims()).replace("{", '{"email":"root@example.com",'), key()),
    "a payload that is a list": () => jws(header(), "[]", key()),
    "a payload that is null": () => jws(header(), "null", key()),
    "a payload with a byte order mark": () => jws(header(), `\ufeff${JSON.stringify(issuer.claims())}`, key()),
    "a payload with a lone surrogate": () =>
      jws(header(), JSON.stringify(issuer.claims({ x: "@" })).replace("@", String.raw`\ud800`), key()),
    "a payload with text after it": () => jws(header(), `${JSON.stringify(issuer.claims())} {}`, key()),
    "a header with a member twice": () => jws('{"alg":"none","alg":"ES256"}', issuer.claims(), key()),
    nothing: () => " ",

    // A1 to A5 again, in other words
    "alg ES256 with a space": withHeader({ alg: "ES256 " }),
    "alg with a NUL": withHeader({ alg: "ES256\u0000" }),
    "alg RSA1_5, which encrypts": withHeader({ alg: "RSA1_5" }),
    "alg HS512": () => hmacJws(rsaHeader("HS512"), rsa.claims(), rsaPem()),
    "alg dir": withHeader({ alg: "dir", enc: "A256GCM" }),
    "HMAC with the modulus": () => hmacJws(rsaHeader("HS256"), rsa.claims(), String(rsa.keys[0]!.jwk["n"])),
    "HMAC with nothing": () => hmacJws(rsaHeader("HS256"), rsa.claims(), ""),
    "kid a file URL": () => signedBy(stranger, { kid: "file:///etc/passwd" }),
    "kid null": withHeader({ kid: null }),
    "kid a list": withHeader({ kid: [key().kid] }),
    "x5t of a stranger": () => signedBy(stranger, { kid: undefined, x5t: "AAAA", "x5t#S256": "AAAA" }),
    "jku, x5u, jwk and x5c at once": () =>
      signedBy(stranger, { jku: `${trapUrl}/keys`, x5u: `${trapUrl}/cert`, jwk: stranger.jwk, x5c: ["MIIB"] }),
    "a critical header that is known": withHeader({ crit: ["alg"] }),
    "crit a text": withHeader({ crit: "exp" }),
    "a header that is a list": () => jws("[]", issuer.claims(), key()),
    "a header that is a text": () => jws('"ES256"', issuer.claims(), key()),
    "a header of 40 kB": withHeader({ pad: "x".repeat(30_000) }),
    "a header nested deep": () =>
      jws(`{"alg":"ES256","x":${"[".repeat(500)}${"]".repeat(500)}}`, issuer.claims(), key()),
    "a Bearer prefix twice": edited((parts) => `Bearer Bearer ${parts.join(".")}`),
    "a byte order mark before the token": edited((parts) => `\ufeff${parts.join(".")}`),
    "a full-width dot": edited((parts) => parts.join("\uff0e")),
    "percent-encoded dots": edited((parts) => parts.join("%2e")),
    "an issuer with a slash more, of this one": () => issuer.token({ iss: `${issuer.url}/` }),
    "an issuer in upper case": () => issuer.token({ iss: issuer.url.toUpperCase() }),
    "an issuer with its port written twice": () => issuer.token({ iss: `${issuer.url}:80` }),
    "an issuer percent-encoded": () => issuer.token({ iss: issuer.url.replace("127", "%31%32%37") }),
    "an issuer with a trailing dot": () => issuer.token({ iss: issuer.url.replace(/:(\d+)$/, ".:$1") }),
    "an issuer in another notation of its address": () =>
      issuer.token({ iss: issuer.url.replace("127.0.0.1", "2130706433") }),
    "an issuer in full-width digits": () => issuer.token({ iss: issuer.url.replace("127", "\uff11\uff12\uff17") }),
    "an issuer with a user": () => issuer.token({ iss: issuer.url.replace("://", "://a:b@") }),
    "an issuer with a fragment": () => issuer.token({ iss: `${issuer.url}#` }),
    "an issuer with a space": () => issuer.token({ iss: ` ${issuer.url}` }),
    "an issuer with a NUL": () => issuer.token({ iss: `${issuer.url}\u0000` }),
    "an issuer of another scheme": () => issuer.token({ iss: issuer.url.replace("http:", "https:") }),
    "an issuer twice": () =>
      jws(header(), JSON.stringify(issuer.claims()).replace("{", `{"iss":${JSON.stringify(trapUrl)},`), key()),
    "an issuer under an escaped name": () =>
      jws(header(), JSON.stringify(issuer.claims()).replace("{", String.raw`{"\u0069ss":"x",`), key()),
    "__proto__ as the issuer": fromIssuer("__proto__"),
    "a pattern's own text": fromIssuer("https://*.pattern.example.com/*"),
    "a pattern with two labels for one": fromIssuer("https://a.b.pattern.example.com/x"),
    "a pattern with a part too many": fromIssuer("https://t.pattern.example.com/x/y"),
    "a pattern with an empty part": fromIssuer("https://t.pattern.example.com/"),
    "a pattern with a dot segment": fromIssuer("https://t.pattern.example.com/.."),
    "a pattern's host as another's prefix": fromIssuer("https://t.pattern.example.com.evil.example/x"),
    "a pattern after a user": fromIssuer("https://evil.example@t.pattern.example.com/x"),
    "a pattern after a fragment": fromIssuer("https://evil.example#.pattern.example.com/x"),
    "a pattern of metadata": fromIssuer("http://169.254.169.254/.pattern.example.com/x"),
    "a pattern in IPv6": fromIssuer("https://[::1].pattern.example.com/x"),
    "a pattern in Cyrillic": fromIssuer("https://t.p\u0430ttern.example.com/x"),
    "a pattern with a port": fromIssuer("https://t.pattern.example.com:8443/x"),
    "audience with a trailing NUL": tokenOf({ aud: "sigstore\u0000" }),
    "audience in Cyrillic": tokenOf({ aud: "sigst\u043ere" }),
    "audience true": tokenOf({ aud: true }),
    "audience joined by a comma": tokenOf({ aud: "sigstore,other" }),
    "audience as azp only": tokenOf({ aud: "other", azp: "sigstore" }),
    "expiry of a list": tokenOf({ exp: [nowSeconds() + 600] }),
    "expiry true": tokenOf({ exp: true }),
    "times that go backwards": tokenOf({ iat: nowSeconds() - 90_000, exp: nowSeconds() - 80_000 }),
    "issued in the last century": tokenOf({ iat: 0 }),
    "issued at null": tokenOf({ iat: null }),
  };
}

function nextLetter(text: string): string {
  // 64 bytes leave four unused bits in the last letter: the next one decodes to the same bytes.
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return alphabet[alphabet.indexOf(text.at(-1)!) + 1]!;
}
