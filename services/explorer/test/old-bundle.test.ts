import { createHash } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { leafHash } from "../src/web/proof/inclusion.ts";
import { parseBundle } from "../src/web/proof/bundle.ts";
import { checkBundle } from "../src/web/proof/check-bundle.ts";
import { firstFailure } from "../src/web/proof/check-entry.ts";
import { parseOldBundle } from "../src/web/proof/old-bundle.ts";
import { type Bundle, type BundleWorld, bundleWorld } from "./bundle-world.ts";

/** As cosign 2 writes it with `sign-blob --bundle`. */
function written({ verificationMaterial, messageSignature, dsseEnvelope }: Bundle) {
  const [entry = {}] = verificationMaterial.tlogEntries;
  const der = verificationMaterial.certificate?.rawBytes ?? "";
  const pem = `-----BEGIN CERTIFICATE-----\n${der.replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
  const Payload = {
    body: String(entry["canonicalizedBody"]),
    integratedTime: Number(entry["integratedTime"]),
    logIndex: Number(entry["logIndex"]),
    logID: Buffer.from((entry["logId"] as { keyId: string }).keyId, "base64").toString("hex"),
  };
  const { signedEntryTimestamp } = entry["inclusionPromise"] as { signedEntryTimestamp: string };
  const envelope = dsseEnvelope && Buffer.from(JSON.stringify(dsseEnvelope)).toString("base64");
  return {
    base64Signature: messageSignature?.signature ?? envelope ?? "",
    cert: Buffer.from(pem).toString("base64"),
    rekorBundle: { SignedEntryTimestamp: signedEntryTimestamp, Payload },
  };
}

let world: BundleWorld;
let bundle: Bundle;
let one: ReturnType<typeof written>;
let other: ReturnType<typeof written>;
beforeAll(async () => {
  world = await bundleWorld();
  const bundles = await Promise.all([world.bundle("v1 file"), world.bundle("v1 file", { text: "another" })]);
  [bundle] = bundles;
  [one, other] = bundles.map(written) as [typeof one, typeof other];
});

test("cosign 2's older bundle is known for what it is, and leads to its entry", () => {
  const leaf = leafHash(Buffer.from(one.rekorBundle.Payload.body, "base64")).toHex();
  const told = { leafHash: leaf, logIndex: "0", isOfEntry: true };
  expect(parseOldBundle(JSON.stringify(one))).toMatchObject(told);
  expect(parseOldBundle(JSON.stringify({ ...one, cert: Buffer.from(one.cert, "base64").toString() }))).toMatchObject(
    told,
  );
});

test("with another's signature, certificate or entry it is not of its entry", () => {
  for (const name of ["base64Signature", "cert", "rekorBundle"] as const) {
    expect(parseOldBundle(JSON.stringify({ ...one, [name]: other[name] }))?.isOfEntry).toBe(false);
  }
});

test.for(["", "{}", '{"rekorBundle":{}}', "[1]", '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}'])(
  "nothing else is taken for one: %s",
  (text) => {
    expect(parseOldBundle(text)).toBeUndefined();
  },
);

type Written = ReturnType<typeof written>;

/** With the proof of its entry, as the server answers it. */
async function check(old: Written, proven: Bundle = bundle) {
  const [logged] = parseBundle(JSON.stringify(proven)).entries;
  const content = parseOldBundle(JSON.stringify(old))!.withProof(logged!);
  const { entries, steps, signedDigests } = await checkBundle(content, world.parties);
  const all = [...entries.flatMap((entry) => entry.steps), ...steps];
  const open = all.filter(({ state }) => state !== "passed").map(({ id }) => id);
  return { first: firstFailure(all)?.id, open, signedDigests };
}

test("with the log's proof it is checked as a new one is, and tells the file by its digest", async () => {
  const hex = createHash("sha256").update("a file").digest("hex");
  expect(await check(one)).toEqual({
    first: undefined,
    open: [],
    signedDigests: [{ algorithm: "sha256", hex }],
  });
});

test("of an attestation it is checked with its statement", async () => {
  for (const kind of ["v1 dsse", "v1 intoto"] as const) {
    const proven = await world.bundle(kind);
    const old = written(proven);
    expect(parseOldBundle(JSON.stringify(old))).toMatchObject({ isOfEntry: true });
    expect(await check(old, proven)).toMatchObject({ first: undefined, signedDigests: [{ algorithm: "sha256" }] });
  }
});

test.for<[string, string, (old: Written) => Written]>([
  ["another signature", "bundle-entry", (old) => ({ ...old, base64Signature: other.base64Signature })],
  ["another certificate", "bundle-entry", (old) => ({ ...old, cert: other.cert })],
  ["another entry", "path", (old) => withPayload(old, { body: other.rekorBundle.Payload.body })],
  [
    "another time",
    "promise",
    (old) => withPayload(old, { integratedTime: one.rekorBundle.Payload.integratedTime + 1 }),
  ],
  ["another place", "promise", (old) => withPayload(old, { logIndex: 1 })],
  ["the key of another log", "promise", (old) => withPayload(old, { logID: "00".repeat(32) })],
  [
    "another promise",
    "promise",
    (old) => ({ ...old, rekorBundle: { ...old.rekorBundle, SignedEntryTimestamp: other.base64Signature } }),
  ],
])("with %s it is red, first at “%s”", async ([, step, bend]) => {
  expect((await check(bend(one))).first).toBe(step);
});

function withPayload(old: Written, changed: Partial<Written["rekorBundle"]["Payload"]>): Written {
  const { rekorBundle } = old;
  return { ...old, rekorBundle: { ...rekorBundle, Payload: { ...rekorBundle.Payload, ...changed } } };
}
