import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parsePublicKeyPem, verifySignature } from "@chancery/crypto";
import { decodeBase64, decodeHex, encodeBase64, encodeHex, utf8 } from "@chancery/encoding";
import { leafHash, verifyInclusion } from "@chancery/tlog";
import { bodyOf, parseEntry } from "../src/domain/entries/entry-kinds.ts";
import type { ProposedEntry } from "../src/domain/entries/entry-kind.ts";

interface Vector {
  readonly proposed: ProposedEntry;
  readonly uuid: string;
  readonly body: string;
  readonly inclusion: {
    readonly index: string;
    readonly size: string;
    readonly root: string;
    readonly path: readonly string[];
  } | null;
  readonly set: {
    readonly integratedTime: string;
    readonly logID: string;
    readonly logIndex: string;
    readonly signature: string;
  };
}

const FOLDER = join(import.meta.dirname, "vectors");
const vectors = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .map((name): [string, Vector] => [name.slice(0, -5), JSON.parse(readFileSync(join(FOLDER, name), "utf8"))]);
const upstreamKey = parsePublicKeyPem(readFileSync(join(FOLDER, "rekor.sigstore.dev.pub"), "utf8"), "key");

describe.for(vectors)("the public Rekor's %s", ([, vector]) => {
  test("has the same canonical body and UUID here", async () => {
    const { body } = await parseEntry(vector.proposed);
    expect(new TextDecoder().decode(body)).toBe(vector.body);
    expect(encodeHex(leafHash(body))).toBe(vector.uuid);
  });

  test("was signed for by upstream over that body", () => {
    const { integratedTime, logID, logIndex, signature } = vector.set;
    // RFC 8785 by hand: an oracle that shares no code with the encoder.
    const signed = `{"body":"${encodeBase64(utf8(vector.body))}","integratedTime":${integratedTime},"logID":"${logID}","logIndex":${logIndex}}`;
    expect(verifySignature(upstreamKey, utf8(signed), decodeBase64(signature, "set"))).toBe(true);
  });

  test("is in upstream's tree under that UUID, where the bundle proves it", () => {
    if (vector.inclusion === null) return;
    const { index, size, root, path } = vector.inclusion;
    const proof = {
      index: BigInt(index),
      size: BigInt(size),
      path: path.map((node) => decodeBase64(node, "path")),
    };
    verifyInclusion(proof, decodeHex(vector.uuid, "uuid"), { size: BigInt(size), root: decodeBase64(root, "root") });
  });

  test("is found by its stored form, which proves nothing any more", async () => {
    const stored = JSON.parse(vector.body) as ProposedEntry;
    expect(encodeHex(leafHash(await bodyOf(stored)))).toBe(vector.uuid);
    if (stored.kind !== "hashedrekord")
      await expect(parseEntry(stored)).rejects.toThrow(/is required|no such member|computed/);
  });
});
