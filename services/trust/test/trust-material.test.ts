import { createHash, createPublicKey, X509Certificate } from "node:crypto";
import { ephemeralSigner } from "@chancery/crypto";
import { ClientTrustConfig, SigningConfig, TrustedRoot } from "@sigstore/protobuf-specs";
import { toTrustMaterial } from "@sigstore/verify";
import { beforeAll, describe, expect, test } from "vitest";
import { trustMaterial, type TrustMaterial, type TrustMaterialInput } from "../src/index.ts";
import { authorityChain, CLOSED, installation, timestampChain } from "./installation.ts";

let input: TrustMaterialInput;
beforeAll(async () => {
  input = await installation();
});

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const file = (material: TrustMaterial, name: string) => text(material.files.find((each) => each.name === name)?.bytes);
const target = (material: TrustMaterial, name: string) =>
  text(material.targets.find((each) => each.name === name)?.bytes);
const certificates = (pem: string) =>
  pem.split(/(?<=-----END CERTIFICATE-----\n)/).map((one) => new X509Certificate(one));

/** A second generation of everything, and the first one closed. */
async function rotated(): Promise<TrustMaterialInput> {
  return {
    ...input,
    certificateAuthorities: [
      { ...input.certificateAuthorities[0]!, chain: await authorityChain(), validFor: CLOSED },
      ...input.certificateAuthorities,
    ],
    transparencyLogs: [
      ...input.transparencyLogs,
      { ...input.transparencyLogs[0]!, publicKey: ephemeralSigner("ecdsa-p256").publicKey, validFor: CLOSED },
    ],
    ctLogs: [
      { ...input.ctLogs[0]!, publicKey: ephemeralSigner("ecdsa-p256").publicKey, validFor: CLOSED },
      ...input.ctLogs,
    ],
    timestampAuthorities: [
      { ...input.timestampAuthorities[0]!, chain: await timestampChain(), validFor: CLOSED },
      ...input.timestampAuthorities,
    ],
  };
}

describe("the trust material of a new installation", () => {
  test("has the files that are promised under /trust", () => {
    expect(trustMaterial(input).files.map(({ name }) => name)).toEqual([
      "trusted_root.json",
      "signing_config.v0.2.json",
      "client_trust_config.json",
      "fulcio.pem",
      "rekor.pub",
      "rekor-v2.pub",
      "ctfe.pub",
      "tsa.pem",
    ]);
  });

  test("has the targets of new clients and those that clients before them look for", () => {
    const { targets } = trustMaterial(input);
    const usage = (name: string) => targets.find((each) => each.name === name)?.custom?.sigstore;
    expect(targets.map(({ name }) => name)).toEqual([
      "trusted_root.json",
      "signing_config.v0.2.json",
      "fulcio_v1.crt.pem",
      "fulcio_intermediate_v1.crt.pem",
      "rekor.pub",
      "ctfe.pub",
      "tsa_leaf.crt.pem",
      "tsa_root.crt.pem",
    ]);
    const origin = "https://sig.example.com";
    expect(usage("trusted_root.json")).toBeUndefined();
    expect(usage("fulcio_v1.crt.pem")).toEqual({ usage: "Fulcio", status: "Active", uri: origin });
    expect(usage("fulcio_intermediate_v1.crt.pem")).toEqual({ usage: "Fulcio", status: "Active", uri: origin });
    expect(usage("rekor.pub")).toEqual({ usage: "Rekor", status: "Active", uri: origin });
    expect(usage("ctfe.pub")).toEqual({ usage: "CTFE", status: "Active", uri: `${origin}/ctlog/first` });
    expect(usage("tsa_leaf.crt.pem")).toEqual({ usage: "TSA", status: "Active", uri: `${origin}/api/v1/timestamp` });
  });

  test("is the same bytes each time", () => {
    expect(trustMaterial(input)).toEqual(trustMaterial({ ...input }));
  });

  test("says the same in each of its forms", () => {
    const material = trustMaterial(input);
    const root = TrustedRoot.fromJSON(JSON.parse(file(material, "trusted_root.json")));
    const both = ClientTrustConfig.fromJSON(JSON.parse(file(material, "client_trust_config.json")));
    expect(both.trustedRoot).toEqual(root);
    expect(both.signingConfig).toEqual(SigningConfig.fromJSON(JSON.parse(file(material, "signing_config.v0.2.json"))));
    expect(target(material, "trusted_root.json")).toBe(file(material, "trusted_root.json"));

    const fromJson = toTrustMaterial(root);
    const spki = createPublicKey(file(material, "rekor.pub")).export({ format: "der", type: "spki" });
    expect(createHash("sha256").update(spki).digest()).toEqual(fromJson.tlogs[0]!.logID);
    expect(createPublicKey(file(material, "ctfe.pub")).equals(fromJson.ctlogs[0]!.publicKey)).toBe(true);
    expect(certificates(file(material, "fulcio.pem")).map(({ raw }) => raw.toString("hex"))).toEqual(
      root.certificateAuthorities[0]!.certChain!.certificates.map(({ rawBytes }) => rawBytes.toString("hex")),
    );
    const [leaf, tsaRoot] = certificates(file(material, "tsa.pem"));
    expect(leaf!.verify(tsaRoot!.publicKey)).toBe(true);
    expect(target(material, "tsa_leaf.crt.pem") + target(material, "tsa_root.crt.pem")).toBe(file(material, "tsa.pem"));
  });

  test("without a timestamp authority has nothing of one", () => {
    const { timestampAuthority: _, ...services } = input.services;
    const material = trustMaterial({ ...input, services, timestampAuthorities: [] });
    expect([...material.files, ...material.targets].filter(({ name }) => name.startsWith("tsa"))).toEqual([]);
  });
});

describe("after a rotation", () => {
  test("both generations are in the trusted root, with their windows", async () => {
    const root = TrustedRoot.fromJSON(JSON.parse(file(trustMaterial(await rotated()), "trusted_root.json")));
    expect(root.tlogs.map(({ publicKey }) => publicKey?.validFor?.end)).toEqual([CLOSED.end, undefined, undefined]);
    expect(root.ctlogs.map(({ publicKey }) => publicKey?.validFor?.end)).toEqual([CLOSED.end, undefined]);
    for (const list of [root.certificateAuthorities, root.timestampAuthorities]) {
      expect(list.map(({ validFor }) => validFor?.end)).toEqual([CLOSED.end, undefined]);
    }
  });

  test("the well-known names are the current generation's, and the old one keeps a name and is Expired", async () => {
    const [before, after] = [trustMaterial(input), trustMaterial(await rotated())];
    const status = Object.fromEntries(after.targets.map(({ name, custom }) => [name, custom?.sigstore.status]));
    for (const name of ["rekor.pub", "ctfe.pub", "tsa.pem"]) expect(file(after, name)).toBe(file(before, name));
    expect(target(after, "rekor.pub")).toBe(target(before, "rekor.pub"));
    expect(status).toMatchObject({
      "rekor.pub": "Active",
      "rekor_v1.pub": "Expired",
      "ctfe_v1.pub": "Expired",
      "fulcio_v1.crt.pem": "Expired",
      "fulcio_v2.crt.pem": "Active",
    });
  });

  test("cosign 2 finds exactly one timestamp leaf, and both generations of the CA", async () => {
    const after = trustMaterial(await rotated());
    expect(after.targets.filter(({ custom }) => custom?.sigstore.usage === "TSA").map(({ name }) => name)).toEqual([
      "tsa_leaf.crt.pem",
      "tsa_root.crt.pem",
    ]);
    expect(after.targets.filter(({ custom }) => custom?.sigstore.usage === "Fulcio")).toHaveLength(4);
    expect(certificates(file(after, "fulcio.pem"))).toHaveLength(4);
    expect(file(after, "fulcio.pem").startsWith(file(trustMaterial(input), "fulcio.pem"))).toBe(true);
  });

  test("a successor announced ahead of time does not take the well-known name", async () => {
    const successor = {
      ...input.ctLogs[0]!,
      publicKey: ephemeralSigner("ecdsa-p256").publicKey,
      validFor: { start: new Date("2030-01-01") },
    };
    const announced = trustMaterial({ ...input, ctLogs: [successor, ...input.ctLogs] });
    expect(file(announced, "ctfe.pub")).toBe(file(trustMaterial(input), "ctfe.pub"));
    expect(announced.targets.map(({ name }) => name)).toContain("ctfe_v2.pub");
  });

  test("a root certificate that two generations share stands once in fulcio.pem", async () => {
    const [authority] = input.certificateAuthorities;
    const [issuing] = await authorityChain();
    // Not a real chain: only names are compared, and these are equal.
    const second = { ...authority!, chain: [issuing!, authority!.chain[1]!], validFor: CLOSED };
    const pem = file(trustMaterial({ ...input, certificateAuthorities: [second, authority!] }), "fulcio.pem");
    expect(certificates(pem)).toHaveLength(3);
  });
});
