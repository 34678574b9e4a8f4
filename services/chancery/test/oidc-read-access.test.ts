import { inlineKeys, parseClaimPath, parseGlob, parseKeySet } from "@chancery/identity";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, expect, test } from "vitest";
import { OidcReadAccess, type OidcReadAccessOptions } from "../src/access/oidc-read-access.ts";

const ISSUER = "https://login.example.com";
const subject = (pattern: string) => [{ name: "sub", path: parseClaimPath("sub")!, globs: [parseGlob(pattern)!] }];

let options: OidcReadAccessOptions;
let idToken: string;
beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  options = {
    issuer: ISSUER,
    audience: "api",
    clientId: "chancery",
    keys: inlineKeys(parseKeySet(Buffer.from(JSON.stringify({ keys: [await exportJWK(publicKey)] })))),
    roles: { reader: subject("*"), auditor: subject("alice") },
    guardsLogs: true,
    login: true,
    sessionLife: 60_000,
    isSecure: false,
    secret: new Uint8Array(32),
  };
  const token = new SignJWT().setProtectedHeader({ alg: "ES256" }).setIssuer(ISSUER).setAudience("chancery");
  idToken = await token.setSubject("alice").setIssuedAt().setExpirationTime("5 m").sign(privateKey);
});

async function signedIn(): Promise<{ readonly cookie: string }> {
  const cookie = (await new OidcReadAccess(options).begin(idToken)).split(";")[0] ?? "";
  return { cookie };
}

test("where only machines may read, no page leads to a sign-in, and a session of before is none", async () => {
  const shown = await signedIn();
  expect(await new OidcReadAccess(options).readerOf(shown)).toMatchObject({ name: "alice" });
  const access = new OidcReadAccess({ ...options, login: false });
  expect(access.loginUrl("/search")).toBeUndefined();
  expect(await access.readerOf(shown)).toBeUndefined();
});

test("whoever is not let in is told why and which token to send, and to sign in only where that can be done", async () => {
  const send = `send a bearer token of ${ISSUER} for the audience api`;
  expect(new OidcReadAccess(options).wanted).toBe(`sign in, or ${send}`);
  const access = new OidcReadAccess({ ...options, login: false });
  expect(access.wanted).toBe(send);
  for (const [authorization, reason] of [
    [`Bearer ${idToken}`, "the token is for another audience"],
    ["Basic YTpi", "Authorization: is not a bearer token"],
  ] as const) {
    await expect(access.readerOf({ authorization })).rejects.toMatchObject({
      code: "unauthenticated",
      message: `${reason}: ${send}`,
    });
  }
});

test.for([
  ["another auditor", { auditor: subject("bob") }],
  ["no auditor", { auditor: undefined }],
  ["a star that stops at slashes", { auditor: subject("al*") }],
] as const)("a session ends with the rules that gave it its roles: %s", async ([, roles]) => {
  options = { ...options, roles: { reader: subject("*"), auditor: subject("al**") } };
  const shown = await signedIn();
  expect(await new OidcReadAccess(options).readerOf(shown)).toMatchObject({ roles: ["reader", "auditor"] });
  const access = new OidcReadAccess({ ...options, roles: { ...options.roles, ...roles } });
  expect(await access.readerOf(shown)).toBeUndefined();
});
