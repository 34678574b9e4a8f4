import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { parseEntry } from "../src/domain/entries/entry-kinds.ts";
import type { Proposal } from "./proposals.ts";
import { aZip } from "./zip-archive.ts";

/** Samples that upstream takes; each test bends one. */
const samplesOf = (file: string): Proposal[] =>
  JSON.parse(readFileSync(join(import.meta.dirname, "kinds", `${file}.json`), "utf8")).map(
    (sample: { proposed: Proposal }) => sample.proposed,
  );
const jar = samplesOf("jar");
const alpine = samplesOf("alpine");
const helm = samplesOf("helm");
const rpm = samplesOf("rpm");
const tuf = samplesOf("tuf");
const cose = samplesOf("cose");
const pgp = samplesOf("rekord-pgp");
const ssh = samplesOf("rekord-ssh");
const minisign = samplesOf("rekord-minisign");
const rfc3161 = samplesOf("rfc3161");

const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString("base64");
const decoded = (text: string) => Buffer.from(text, "base64");
const refusal = (proposal: Proposal) => expect(parseEntry(proposal)).rejects;

/** The sample with another value at a path like `archive.content`. */
function bent(sample: Proposal | undefined, path: string, change: (value: string) => unknown): Proposal {
  const proposal = structuredClone(sample!);
  const names = path.split(".");
  const last = names.pop()!;
  const parent = names.reduce((object, name) => object[name], proposal.spec);
  parent[last] = change(parent[last]);
  return proposal;
}

const aJar = (files: Parameters<typeof aZip>[0]) => bent(jar[0], "archive.content", () => base64(aZip(files)));
const sum = (content: Uint8Array) => createHash("sha256").update(content).digest("base64");

/** A JAR whose digests are true; only its signature is not one. */
function signedJar(files: readonly (readonly [string, Uint8Array])[], more: typeof files = []): Proposal {
  const sections = files.map(([name, content]) => `Name: ${name}\r\nSHA-256-Digest: ${sum(content)}\r\n\r\n`);
  const manifest = Buffer.from(`Manifest-Version: 1.0\r\n\r\n${sections.join("")}`);
  const signatureFile = Buffer.from(`Signature-Version: 1.0\r\nSHA-256-Digest-Manifest: ${sum(manifest)}\r\n\r\n`);
  return aJar([
    ["META-INF/MANIFEST.MF", manifest],
    ["META-INF/A.SF", signatureFile],
    ["META-INF/A.RSA", Buffer.from("not a signature")],
    ...files,
    ...more,
  ]);
}

describe("a JAR", () => {
  test("that unpacks to more than its budget is let go in the middle", async () => {
    const zeros = new Uint8Array(9 * 1024 * 1024);
    await refusal(signedJar([1, 2, 3, 4].map((n) => [`zeros${n}`, zeros]))).toThrow(
      "unpacks to more than 33554432 bytes",
    );
  });

  test("of more files than a program has, or with a huge manifest, is refused before it is read", async () => {
    const many = Array.from({ length: 10_001 }, (_, n): [string, Uint8Array] => [`f${n}`, Buffer.of()]);
    await refusal(aJar(many)).toThrow("more than 10000 files");
    const huge = Buffer.alloc(1024 * 1024 + 1, "a");
    await refusal(aJar([["META-INF/MANIFEST.MF", huge]])).toThrow("META-INF is longer than 1048576 bytes");
    const crowded = Buffer.from(`A: ${"\n ".repeat(60_000)}\n\n`);
    const files = ["MANIFEST.MF", "A.SF", "A.RSA"].map((name): [string, Uint8Array] => [`META-INF/${name}`, crowded]);
    await refusal(aJar(files)).toThrow("more than 50000 lines in a manifest");
  });

  test("with two files of one name, or names that lead out of it, is refused", async () => {
    const file = Buffer.from("x");
    await refusal(signedJar([["a", file]], [["a", Buffer.from("y")]])).toThrow("two files of one name");
    for (const name of ["../../etc/cron.d/x", "/etc/passwd", "C:\\x", "a\\..\\b"]) {
      await refusal(signedJar([["a", file]], [[name, file]])).toThrow("names of files outside it");
    }
  });

  test("whose files are not the signed ones is refused", async () => {
    const content = Buffer.from("good");
    const manifest = signedJar([["a", content]]);
    await refusal(manifest).toThrow("SEQUENCE is expected");
    await refusal(signedJar([["a", content]], [["META-INF/B.SF", content]])).toThrow("several signatures");
    await refusal(aJar([["META-INF/MANIFEST.MF", content]])).toThrow("is not signed");
  });
});

const segments = (first: Uint8Array, ...others: Uint8Array[]) =>
  bent(alpine[0], "package.content", () => base64(Buffer.concat([first, ...others].map((each) => gzipSync(each)))));

describe("an Alpine package", () => {
  test("whose metadata unpack to more than theirs is let go in the middle", async () => {
    await refusal(segments(new Uint8Array(2 ** 20 + 1), Buffer.of())).toThrow(
      "a gzip member of more than 1048576 bytes",
    );
    await refusal(segments(Buffer.of(), new Uint8Array(2 ** 21 + 1))).toThrow(
      "a gzip member of more than 2097152 bytes",
    );
  });

  test("whose data are others than .PKGINFO names is refused", async () => {
    await refusal(
      bent(alpine[0], "package.content", (text) => base64(Buffer.concat([decoded(text), Buffer.of(0)]))),
    ).toThrow("not those of .PKGINFO's datahash");
  });

  test("is signed over its control segment, byte for byte", async () => {
    const repacked = bent(alpine[0], "package.content", (text) => {
      const whole = decoded(text);
      const second = whole.indexOf(Buffer.from("1f8b08", "hex"), 3);
      const third = whole.indexOf(Buffer.from("1f8b08", "hex"), second + 3);
      const control = gzipSync(gunzipSync(whole.subarray(second, third)), { level: 1 });
      return base64(Buffer.concat([whole.subarray(0, second), control, whole.subarray(third)]));
    });
    await refusal(repacked).toThrow("signature does not verify with this key");
  });
});

/** A signature of version 3 with the number of one of version 4; of its time, key ID and digest nothing is read. */
function version3(version4: Buffer, rsaBits: number): Buffer {
  // Version, length of what is hashed, type, time, key ID, RSA, SHA-256: RFC 4880, Section 5.2.2.
  const head = Buffer.from("0305005fa189cb05b555b38483c65d01080000", "hex");
  const body = Buffer.concat([head, version4.subarray(-(2 + rsaBits / 8))]);
  return Buffer.concat([Buffer.of(0x89, body.length >> 8, body.length & 0xff), body]);
}

describe("an OpenPGP signature", () => {
  test("by a key that is sent with its private half is refused, and the key not repeated", async () => {
    const armor = "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n";
    await refusal(bent(pgp[0], "signature.publicKey.content", () => base64(armor))).toThrow(
      /^[^A]*a private key[^A]*$/,
    );
    await refusal(bent(pgp[1], "signature.publicKey.content", () => base64(Buffer.from("c5020400", "hex")))).toThrow(
      "does not begin with a public key",
    );
  });

  test("cannot be logged again with text around it or a wrong checksum", async () => {
    for (const change of [
      (text: string) => `-x\n${text}`,
      (text: string) => `${text}x`,
      (text: string) => text.replace(/\n=..../, "\n=AAAA"),
    ]) {
      await refusal(bent(pgp[0], "signature.content", (text) => base64(change(decoded(text).toString())))).toThrow(
        /armor/,
      );
    }
  });

  test("of version 3 is refused by that name, detached and in an RPM: sigstore/rekor v1.5.4 reads neither", async () => {
    const message = "OpenPGP signatures of version 3 are not accepted, sign again";
    await refusal(bent(pgp[1], "signature.content", (text) => base64(version3(decoded(text), 3072)))).toThrow(
      `spec.signature.content: ${message}`,
    );
    const signedInVersion3 = bent(rpm[0], "package.content", (text) => {
      const whole = decoded(text);
      const entry = whole.indexOf(Buffer.from("0000010c00000007", "hex"));
      const at = 112 + 16 * whole.readUInt32BE(104) + whole.readUInt32BE(entry + 8);
      const signature = version3(whole.subarray(at, at + whole.readUInt32BE(entry + 12)), 2048);
      whole.set(signature, at);
      whole.writeUInt32BE(signature.length, entry + 12);
      return base64(whole);
    });
    await refusal(signedInVersion3).toThrow(`spec.package.content: ${message}`);
  });

  test("by a ring of more packets than anyone's is refused", async () => {
    const marker = Buffer.from("ca03504750", "hex");
    await refusal(
      bent(pgp[1], "signature.publicKey.content", (text) =>
        base64(Buffer.concat([decoded(text), ...Array.from({ length: 256 }, () => marker)])),
      ),
    ).toThrow("more than 256 OpenPGP packets");
  });
});

describe("a signature that names a key of its own", () => {
  test("is refused when that is another: SSH", async () => {
    const other = ssh[2]!.spec.signature.publicKey.content;
    await refusal(bent(ssh[0], "signature.publicKey.content", () => other)).toThrow("made by another key");
  });

  test("is refused when that is another: minisign", async () => {
    const changed = bent(minisign[0], "signature.content", (text) => {
      const [comment, line = "", ...rest] = decoded(text).toString().split("\n");
      const bytes = decoded(line);
      bytes[5]! ^= 1;
      return base64([comment, base64(bytes), ...rest].join("\n"));
    });
    await refusal(changed).toThrow("made by another key's ID");
  });
});

describe("packages and envelopes that would keep a parser busy", () => {
  test.for([
    [
      "a COSE header of ten thousand values",
      () =>
        bent(cose[0], "message", () =>
          base64(Buffer.concat([Buffer.from("d28440b90fa0", "hex"), Buffer.alloc(100_000, 1)])),
        ),
      "more than a header holds",
    ],
    [
      "a COSE message nested a million deep",
      () =>
        bent(cose[0], "message", () =>
          base64(Buffer.concat([Buffer.from("d284", "hex"), Buffer.alloc(1_000_000, 0x81)])),
        ),
      "not CBOR",
    ],
    [
      "an RPM of more tags than any",
      () =>
        bent(rpm[0], "package.content", (text) => {
          const whole = decoded(text);
          whole.writeUInt32BE(9_000, 96 + 8);
          return base64(whole);
        }),
      "more than 8192 tags",
    ],
    [
      "a time stamp of ten kilobytes and more",
      () => bent(rfc3161[0], "tsr.content", () => base64(Buffer.alloc(10_241, 0x30))),
      "longer than 10240 bytes",
    ],
    [
      "the sums of a chart's files in sixteen kilobytes of brackets",
      () =>
        bent(helm[1], "chart.provenance.content", (text) =>
          base64(decoded(text).toString().replace("files:", "[".repeat(16_000))),
        ),
      "longer than 2048 characters",
    ],
  ] as const)("%s", async ([, proposal, message]) => {
    await refusal(proposal()).toThrow(message);
  });
});

describe("TUF metadata", () => {
  test("signed twice by one key, under two IDs, has one signature", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const key = {
      keytype: "ed25519",
      scheme: "ed25519",
      keyval: { public: publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex") },
    };
    // No blanks and sorted names: JSON.stringify writes what canonical JSON is.
    const signed = {
      _type: "root",
      expires: "2039-01-01T00:00:00Z",
      keys: { a: key, b: key },
      roles: { root: { keyids: ["a", "b"], threshold: 2 } },
      spec_version: "1.0",
      version: 1,
    };
    const canonical = JSON.stringify({ ...signed, keys: { a: sorted(key), b: sorted(key) } });
    const sig = sign(null, Buffer.from(canonical), privateKey).toString("hex");
    const content = { signed, signatures: ["a", "b"].map((keyid) => ({ keyid, sig })) };
    const spec = { root: { content }, metadata: { content } };
    await refusal({ ...tuf[0]!, spec }).toThrow("spec.root.content.signatures: 1 of the 2 that the root asks for");
    const one = { ...signed, roles: { root: { keyids: ["a", "b"], threshold: 1 } } };
    await refusal({
      ...tuf[0]!,
      spec: { root: { content: { ...content, signed: one } }, metadata: { content } },
    }).toThrow("0 of the 1");
  });
});

function sorted(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
