import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { parseBundle } from "../src/web/proof/bundle.ts";
import { checkBundle } from "../src/web/proof/check-bundle.ts";
import { firstFailure } from "../src/web/proof/check-entry.ts";
import type { StepId } from "../src/web/proof/step.ts";
import { NOBODY, type TrustedParties } from "../src/web/proof/trusted-keys.ts";
import {
  type Bundle,
  type BundleKind,
  type BundleOptions,
  type BundleWorld,
  bundleWorld,
  NOT_BEFORE,
} from "./bundle-world.ts";

let world: BundleWorld;
let elsewhere: BundleWorld;
beforeAll(async () => {
  [world, elsewhere] = await Promise.all([bundleWorld(), bundleWorld()]);
});

const KINDS: readonly BundleKind[] = [
  "v1 file",
  "v1 dsse",
  "v1 intoto",
  "v2 file",
  "v2 dsse",
  "v2 statement as a file",
];

const check = async (bundle: Bundle, parties: TrustedParties = world.parties) => {
  const { entries, steps, signedDigests } = await checkBundle(parseBundle(JSON.stringify(bundle)), parties);
  const all = [...entries.flatMap((entry) => entry.steps), ...steps];
  const ids = (state: string) => all.filter((step) => step.state === state).map(({ id }) => id);
  return { failed: ids("failed"), doubtful: ids("doubtful"), first: firstFailure(all)?.id, signedDigests };
};

/** The last bit, so that what is encoded stays well formed. */
function flipped(base64: string): string {
  const bytes = Buffer.from(base64, "base64");
  bytes[bytes.length - 1]! ^= 1;
  return bytes.toString("base64");
}

describe("a bundle that is what it says", () => {
  test.for(KINDS)("of %s holds, and the file is told by the entry's digest", async (kind) => {
    const hex = createHash("sha256").update("a file").digest("hex");
    const signedDigests = [{ algorithm: "sha256", hex }];
    expect(await check(await world.bundle(kind))).toEqual({
      failed: [],
      doubtful: [],
      first: undefined,
      signedDigests,
    });
  });

  test("of the v1 log holds without a timestamp: the log's promise proves the time", async () => {
    const bundle = await world.bundle("v1 file");
    delete bundle.verificationMaterial.timestampVerificationData;
    expect(await check(bundle)).toMatchObject({ failed: [], doubtful: [] });
  });

  test("holds without a digest of its own, which the format leaves to the entry", async () => {
    const bundle = await world.bundle("v2 file");
    delete bundle.messageSignature?.messageDigest;
    expect(await check(bundle)).toMatchObject({ failed: [], doubtful: [] });
  });
});

type Bending = readonly [
  what: string,
  first: StepId,
  bend: (bundle: Bundle, other: Bundle) => unknown,
  kinds?: readonly BundleKind[],
];

const FILES: readonly BundleKind[] = ["v1 file", "v2 file"];
const STATEMENTS = KINDS.filter((kind) => !FILES.includes(kind));
const V2 = KINDS.filter((kind) => kind.startsWith("v2"));
const V1 = KINDS.filter((kind) => kind.startsWith("v1"));

const BENDINGS: readonly Bending[] = [
  [
    "another bundle's log entry",
    "bundle-entry",
    (bundle, other) => (bundle.verificationMaterial.tlogEntries = other.verificationMaterial.tlogEntries),
  ],
  [
    "another bundle's certificate",
    "bundle-entry",
    (bundle, other) =>
      Object.assign(bundle.verificationMaterial, { certificate: other.verificationMaterial.certificate }),
  ],
  ["no log entry", "bundle-entry", (bundle) => (bundle.verificationMaterial.tlogEntries = [])],
  [
    "a second log entry, of another signature",
    "bundle-entry",
    (bundle, other) => bundle.verificationMaterial.tlogEntries.push(...other.verificationMaterial.tlogEntries),
  ],
  [
    "only its key's hint in place of the certificate",
    "bundle-entry",
    (bundle) => {
      delete bundle.verificationMaterial.certificate;
      bundle.verificationMaterial.publicKey = { hint: "x" };
    },
  ],
  [
    "another digest alone",
    "bundle-entry",
    (bundle) =>
      (bundle.messageSignature!.messageDigest!.digest = flipped(bundle.messageSignature!.messageDigest!.digest)),
    FILES,
  ],
  [
    "another signature alone",
    "bundle-entry",
    (bundle) => (bundle.messageSignature!.signature = flipped(bundle.messageSignature!.signature)),
    FILES,
  ],
  [
    "another statement alone",
    "bundle-entry",
    (bundle, other) => (bundle.dsseEnvelope!.payload = other.dsseEnvelope!.payload),
    STATEMENTS,
  ],
  [
    "another type of its payload",
    "bundle-signature",
    (bundle) => (bundle.dsseEnvelope!.payloadType = "text/plain"),
    ["v1 dsse", "v1 intoto", "v2 dsse"],
  ],
  [
    "another envelope's signature",
    "bundle-entry",
    (bundle, other) => (bundle.dsseEnvelope!.signatures = other.dsseEnvelope!.signatures),
    STATEMENTS,
  ],
  [
    "one signature more",
    "bundle-entry",
    (bundle, other) => bundle.dsseEnvelope!.signatures.push(...other.dsseEnvelope!.signatures),
    STATEMENTS,
  ],
  [
    "another bundle's timestamp",
    "timestamp",
    (bundle, other) =>
      Object.assign(bundle.verificationMaterial, {
        timestampVerificationData: other.verificationMaterial.timestampVerificationData,
      }),
  ],
  [
    "another signature on its timestamp",
    "timestamp",
    (bundle) => {
      const [stamp] = bundle.verificationMaterial.timestampVerificationData!.rfc3161Timestamps;
      stamp!.signedTimestamp = flipped(stamp!.signedTimestamp);
    },
  ],
  ["no timestamp", "timestamp", (bundle) => delete bundle.verificationMaterial.timestampVerificationData, V2],
  [
    "another time than the log promised",
    "promise",
    (bundle) => (bundle.verificationMaterial.tlogEntries[0]!["integratedTime"] = "1769904031"),
    V1,
  ],
  [
    "the promise and its timestamp taken away",
    "timestamp",
    (bundle) => {
      delete bundle.verificationMaterial.tlogEntries[0]!["inclusionPromise"];
      delete bundle.verificationMaterial.timestampVerificationData;
    },
    V1,
  ],
  [
    "another kind told beside the entry",
    "body",
    (bundle) => (bundle.verificationMaterial.tlogEntries[0]!["kindVersion"] = { kind: "rekord", version: "0.0.1" }),
  ],
  [
    "another index told beside the entry",
    "path",
    (bundle) => (bundle.verificationMaterial.tlogEntries[0]!["logIndex"] = "7"),
    V2,
  ],
  [
    "another byte in the entry",
    "path",
    (bundle) => {
      const [entry] = bundle.verificationMaterial.tlogEntries;
      const body = Buffer.from(String(entry!["canonicalizedBody"]), "base64").toString();
      entry!["canonicalizedBody"] = Buffer.from(`${body} `).toString("base64");
    },
  ],
];

const CASES = BENDINGS.flatMap(([what, first, bend, kinds = KINDS]) =>
  kinds.map((kind) => [kind, what, first, bend] as const),
);

describe("a bundle that its signer never signed is red", () => {
  test.for(CASES)("%s with %s", async ([kind, , first, bend]) => {
    const [bundle, other] = await Promise.all([world.bundle(kind), world.bundle(kind, { text: "another file" })]);
    bend(bundle, other);
    const told = await check(bundle);
    expect([told.first, told.signedDigests]).toEqual([first, []]);
  });

  test.for(["v1 file", "v2 dsse"] as const)("%s by a certificate that nobody trusted has issued", async (kind) => {
    const { authorities } = elsewhere.parties;
    expect((await check(await world.bundle(kind), { ...world.parties, authorities })).first).toBe("certificate");
  });

  test("when it was stamped after the certificate had ended", async () => {
    const bundle = await world.bundle("v2 file", { stampedAt: new Date(NOT_BEFORE.getTime() + 3_600_000) });
    expect((await check(bundle)).failed).toEqual(["certificate"]);
  });

  test("when its timestamp is of an authority that nobody trusts", async () => {
    const { timestampAuthorities } = elsewhere.parties;
    const told = await check(await world.bundle("v2 file"), { ...world.parties, timestampAuthorities });
    expect(told.first).toBe("timestamp");
  });

  test("when the authority that issued its certificate was not in force any more", async () => {
    const validFor = { end: "2026-01-31T00:00:00Z" };
    const authorities = world.parties.authorities.map((one) => ({ ...one, validFor }));
    expect((await check(await world.bundle("v1 file"), { ...world.parties, authorities })).failed).toEqual([
      "certificate",
    ]);
  });

  test("when somebody else signed in the certificate log's name", async () => {
    const bundle = await world.bundle("v1 file", { sct: "forged" });
    expect((await check(bundle)).failed).toEqual(["certificate-log"]);
  });

  test("when nobody is trusted at all", async () => {
    expect((await check(await world.bundle("v1 file"), NOBODY)).first).toBe("log-signature");
  });
});

type Doubt = readonly [what: string, step: StepId, options: BundleOptions, others?: readonly (keyof TrustedParties)[]];

const endedAt = async (kind: BundleKind, name: "logKeys" | "ctLogKeys", end: number) => {
  const keys = world.parties[name].map((one) => ({ ...one, validFor: { end: new Date(end).toISOString() } }));
  const { failed, doubtful } = await check(await world.bundle(kind), { ...world.parties, [name]: keys });
  return [...failed, ...doubtful];
};

describe("a key that the trusted root has ended", () => {
  const SIGNED = NOT_BEFORE.getTime();
  test.for(KINDS)("is red for %s of after that, and holds for one of before", async (kind) => {
    expect(await endedAt(kind, "logKeys", SIGNED)).toEqual(["log-signature"]);
    expect(await endedAt(kind, "logKeys", SIGNED + 3_600_000)).toEqual([]);
  });

  test("of a certificate log is red for a certificate that it logged after that", async () => {
    expect(await endedAt("v1 file", "ctLogKeys", SIGNED - 1000)).toEqual(["certificate-log"]);
    expect(await endedAt("v1 file", "ctLogKeys", SIGNED)).toEqual([]);
  });
});

describe("a bundle that cannot be checked to the end is not green", () => {
  const DOUBTS: readonly Doubt[] = [
    ["signed by a bare key", "certificate", { certified: false }],
    ["whose certificate no log has signed for", "certificate-log", { sct: "none" }],
    ["with a timestamp of an unknown authority beside the log's promise", "timestamp", {}, ["timestampAuthorities"]],
    ["whose certificate log has no key here", "certificate-log", {}, ["ctLogKeys"]],
  ];
  test.for(DOUBTS)("%s", async ([, step, options, others = []]) => {
    const changed = Object.fromEntries(others.map((name) => [name, elsewhere.parties[name]]));
    const told = await check(await world.bundle("v1 file", options), { ...world.parties, ...changed });
    expect(told).toMatchObject({ failed: [], doubtful: [step] });
  });

  test("with a log's key of one's own and all else by the server's word", async () => {
    const logKeys = world.parties.logKeys.map((one) => ({ ...one, source: "pinned" as const }));
    const told = await check(await world.bundle("v2 file"), { ...world.parties, logKeys });
    expect(told).toMatchObject({ failed: [], doubtful: ["timestamp", "certificate"] });
  });
});
