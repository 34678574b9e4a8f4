import { Misconfigured } from "@chancery/fault";
import { ClientTrustConfig, SigningConfig } from "@sigstore/protobuf-specs";
import { describe, expect, test } from "vitest";
import {
  encodeClientTrustConfig,
  encodeSigningConfig,
  encodeTrustedRoot,
  signingConfig,
  type SigningServices,
  trustedRoot,
} from "../src/index.ts";
import { oneOfEach, SINCE } from "./parties.ts";

const ORIGIN = "https://sig.example.com:8443";
const SERVICES: SigningServices = {
  operator: "sig.example.com",
  certificateAuthority: { url: ORIGIN, validFor: SINCE },
  identityProvider: { url: `${ORIGIN}/idp`, validFor: SINCE },
  transparencyLogs: [
    { url: ORIGIN, validFor: SINCE, majorApiVersion: 1 },
    { url: ORIGIN, validFor: SINCE, majorApiVersion: 2 },
  ],
  timestampAuthority: { url: `${ORIGIN}/api/v1/timestamp`, validFor: SINCE },
};

const service = (url: string, majorApiVersion = 1) => ({
  url,
  majorApiVersion,
  validFor: { start: "2026-01-01T00:00:00.000Z" },
  operator: "sig.example.com",
});

describe("the signing config", () => {
  test("names one service of each kind and API, the newest API first, and how to choose it", () => {
    expect(JSON.parse(encodeSigningConfig(signingConfig(SERVICES)))).toEqual({
      mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
      caUrls: [service(ORIGIN)],
      oidcUrls: [service(`${ORIGIN}/idp`)],
      rekorTlogUrls: [service(ORIGIN, 2), service(ORIGIN)],
      rekorTlogConfig: { selector: "ANY" },
      tsaUrls: [service(`${ORIGIN}/api/v1/timestamp`)],
      tsaConfig: { selector: "ANY" },
    });
  });

  test("says nothing of a timestamp authority or issuer that is not there", () => {
    const { timestampAuthority: _, identityProvider: __, ...rest } = SERVICES;
    const json = JSON.parse(encodeSigningConfig(signingConfig(rest))) as object;
    expect(Object.keys(json)).toEqual(["mediaType", "caUrls", "rekorTlogUrls", "rekorTlogConfig"]);
  });

  test("survives protobuf's own reader unchanged, alone and beside the trusted root", async () => {
    const [config, root] = [signingConfig(SERVICES), trustedRoot(await oneOfEach())];
    const text = encodeSigningConfig(config);
    expect(encodeSigningConfig(SigningConfig.fromJSON(JSON.parse(text)))).toBe(text);
    const both = ClientTrustConfig.fromJSON(JSON.parse(encodeClientTrustConfig(root, config)));
    expect(both.mediaType).toBe("application/vnd.dev.sigstore.clienttrustconfig.v0.1+json");
    expect(encodeSigningConfig(both.signingConfig!)).toBe(text);
    expect(encodeTrustedRoot(both.trustedRoot!)).toBe(encodeTrustedRoot(root));
  });

  test.for<[string, Partial<SigningServices>]>([
    ["a timestamp authority without a path", { timestampAuthority: { url: ORIGIN, validFor: SINCE } }],
    ["a base URL with a trailing slash", { certificateAuthority: { url: `${ORIGIN}/`, validFor: SINCE } }],
    ["a URL with credentials", { certificateAuthority: { url: "https://u:p@sig.example.com", validFor: SINCE } }],
    ["a URL with a query", { certificateAuthority: { url: `${ORIGIN}/a?b`, validFor: SINCE } }],
    ["another scheme", { identityProvider: { url: "ftp://sig.example.com", validFor: SINCE } }],
    ["an operator with a scheme", { operator: ORIGIN }],
    ["an operator without a name", { operator: "" }],
  ])("refuses %s", ([, broken]) => {
    expect(() => signingConfig({ ...SERVICES, ...broken })).toThrow(Misconfigured);
  });
});
