import { describe, expect, test } from "vitest";
import { parseCertificate } from "@chancery/x509";
import { encodeCertificateChain, merkleTreeLeaf, encodePrecertificateChain } from "../src/domain/merkle-tree-leaf.ts";
import { certificateChain, createAuthority } from "./authority.ts";

const TIME = 1_764_000_000_123;
const uint = (value: number | bigint, width: number) =>
  Buffer.from(
    BigInt(value)
      .toString(16)
      .padStart(2 * width, "0"),
    "hex",
  );
const opaque24 = (bytes: Uint8Array) => Buffer.concat([uint(bytes.length, 3), bytes]);
const same = (actual: Uint8Array, ...expected: Uint8Array[]) =>
  expect(Buffer.from(actual).toString("hex")).toBe(Buffer.concat(expected).toString("hex"));

describe("RFC 6962, Section 3.4, field by field", () => {
  test("the leaf of a precertificate", () => {
    const issuerKeyHash = new Uint8Array(32).fill(7);
    const tbs = new Uint8Array(300).fill(9);
    same(
      merkleTreeLeaf(TIME, { type: "precertificate", issuerKeyHash, tbs }).finish(),
      uint(0 /* version v1 */, 1),
      uint(0 /* timestamped_entry */, 1),
      uint(TIME, 8),
      uint(1 /* precert_entry */, 2),
      issuerKeyHash,
      opaque24(tbs),
      uint(0 /* extensions */, 2),
    );
  });

  test("the leaf of a certificate", () => {
    const certificate = new Uint8Array(70_000).fill(5);
    same(
      merkleTreeLeaf(TIME, { type: "certificate", der: certificate }).finish(),
      uint(0, 1),
      uint(0, 1),
      uint(TIME, 8),
      uint(0 /* x509_entry */, 2),
      opaque24(certificate),
      uint(0, 2),
    );
  });

  test("extra data is the chain above the leaf, and before it the precertificate if it is one", async () => {
    const authority = await createAuthority();
    const [leaf, intermediate, root] = (await certificateChain(authority)).map((der) => parseCertificate(der, "test"));
    const authorities = [intermediate!, root!];
    const above = opaque24(Buffer.concat([opaque24(intermediate!.der), opaque24(root!.der)]));
    same(encodeCertificateChain(authorities), above);
    same(encodePrecertificateChain(leaf!.der, encodeCertificateChain(authorities)), opaque24(leaf!.der), above);
  });
});
