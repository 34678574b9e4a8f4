import { describe, expect, test } from "vitest";
import { ISSUER, principal, refusal } from "./principal-of.ts";

describe("email", () => {
  const settings = "type: email";
  const address = "dev@example.com";

  test("names the address, and the client signs it", () => {
    expect(principal(settings, { email: address, email_verified: true })).toEqual({
      name: address,
      san: { type: "email", value: address },
      extensions: { issuer: ISSUER, "token-subject": "subject" },
    });
  });

  test.for([true, "true", "True"])("takes email_verified %j", (verified) => {
    expect(principal(settings, { email: address, email_verified: verified }).name).toBe(address);
  });

  test.for([false, undefined, null, "false", "False", "TRUE", "yes", 1, 0, {}, ["true"], ""])(
    "refuses email_verified %j",
    (verified) => {
      const claims = { email: address, ...(verified === undefined ? {} : { email_verified: verified }) };
      expect(refusal(() => principal(settings, claims))).toBe("email_verified claim was false");
      expect(principal("type: email, skip-email-verification: true", claims).name).toBe(address);
    },
  );

  test.for([
    "",
    "dev",
    "@example.com",
    "dev@",
    "dev@@example.com",
    "a@b@example.com",
    "dev@example",
    "dev@localhost",
    "dev@-example.com",
    "dev@example..com",
    ".dev@example.com",
    "dev.@example.com",
    "de..v@example.com",
    '"dev"@example.com',
    "dev@[127.0.0.1]",
    "dev@127.0.0.1",
    "dev (me)@example.com",
    "dev @example.com",
    " dev@example.com",
    "dev@example.com ",
    "dev@example.com\u0000.evil",
    "dev@example.com\r\nBcc: x@example.com",
    "dеv@example.com",
    "dev@exаmple.com",
    "dev@münchen.example",
    `${"a".repeat(65)}@example.com`,
    `a@${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.${"e".repeat(60)}.${"f".repeat(20)}.com`,
    "<dev@example.com>",
    "dev@example.com,other@example.com",
  ])("refuses the address %j", (email) => {
    expect(refusal(() => principal(settings, { email, email_verified: true }))).toMatch(/email/);
  });

  test.for(["a\u0000b", "a\nb", "x".repeat(4097)])(
    "refuses the subject %j, which goes into the certificate too",
    (sub) => {
      expect(refusal(() => principal(settings, { email: address, email_verified: true }, sub))).toMatch(/^sub claim/);
    },
  );

  test.for([7, true, null, {}, ["dev@example.com"]])("refuses an address that is %j", (email) => {
    expect(refusal(() => principal(settings, { email, email_verified: true }))).toMatch(/email claim is not a string/);
  });

  test("takes the issuer from the claim that a federating issuer keeps it in", () => {
    const federated = `type: email, issuer-claim: "$.federated_claims['connector_id']"`;
    const claims = { email: address, email_verified: true };
    const connector = { federated_claims: { connector_id: "https://github.com/login/oauth" } };
    expect(principal(federated, { ...claims, ...connector }).extensions.issuer).toBe("https://github.com/login/oauth");
    for (const federated_claims of [
      undefined,
      {},
      "x",
      { connector_id: "" },
      { connector_id: 7 },
      { connector_id: "a\nb" },
    ]) {
      expect(refusal(() => principal(federated, { ...claims, federated_claims }))).toMatch(/issuer/);
    }
  });
});

describe("username", () => {
  const settings = "type: username, subject-domain: users.example.com";

  test("names sub!domain, and the client signs sub", () => {
    expect(principal(settings, {}, "alice")).toEqual({
      name: "alice",
      san: { type: "username", value: "alice!users.example.com" },
      extensions: { issuer: ISSUER, "token-subject": "alice" },
    });
  });

  test.for(["alice!other.com", "alice@example.com", "@alice", "alice\u0000", "alice\n"])("refuses %j", (subject) => {
    expect(refusal(() => principal(settings, {}, subject))).not.toBe("accepted");
  });
});

describe("uri", () => {
  const settings = "type: uri, subject-domain: https://users.example.com";

  test("names the subject", () => {
    const subject = "https://users.example.com/users/1?a=b#c";
    expect(principal(settings, {}, subject)).toMatchObject({ name: subject, san: { type: "uri", value: subject } });
  });

  test.for([
    "https://example.com/users/1",
    "https://users.example.com.evil/1",
    "https://users.example.com@evil.com/1",
    "https://evil@users.example.com/1",
    "https://evil.com/https://users.example.com/",
    "https://evil.com#users.example.com",
    "https://evil.com\\@users.example.com",
    "http://users.example.com/1",
    "HTTPS://users.example.com/1",
    "https:/users.example.com/1",
    "//users.example.com/1",
    "users.example.com",
    "dev@users.example.com",
    "https://USERS.example.com/1",
    "https://users.example.com./1",
    "https://users.example.com/a b",
    "https://users.example.com/%zz",
    "https://users.example.com/ü",
    "https://users.example.com/\u0000",
    "https://users.example.com/\n",
    "https://users.example.com/users/1#",
    "https://users.example.com#",
    "https://users.example.com/users/1#a#b",
    "https://[::1]/1",
  ])("refuses %j", (subject) => {
    expect(refusal(() => principal(settings, {}, subject))).not.toMatch(/accepted|not a fault/);
  });
});
