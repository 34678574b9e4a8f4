import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parsePublicKey } from "@chancery/crypto";
import { decodeBase64, encodeBase64, utf8 } from "@chancery/encoding";
import { leafHash, noteKeyId, verifyCheckpoint, verifyInclusion } from "@chancery/tlog";
import { describe, expect, test } from "vitest";
import { parseDsse } from "../src/domain/v2/dsse.ts";
import { parseHashedRekord } from "../src/domain/v2/hashedrekord.ts";
import { readCreateEntryRequest } from "../src/http/v2/create-entry-request.ts";

interface Vector {
  readonly request: object;
  readonly body: string;
  readonly inclusion: {
    readonly index: string;
    readonly size: string;
    readonly root: string;
    readonly path: readonly string[];
  };
  readonly checkpoint: string;
  readonly log: { readonly id: string; readonly key: string };
}

const read = (name: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, "vectors-v2", name), "utf8"));

/** What would be logged of a request. */
async function bodyOf(request: object): Promise<string> {
  const parsed = readCreateEntryRequest(utf8(JSON.stringify(request)));
  const { body } = await ("dsse" in parsed ? parseDsse(parsed.dsse) : parseHashedRekord(parsed.hashedRekord));
  return new TextDecoder().decode(body);
}

describe.for(["hashedrekord-certificate", "dsse-certificate"])("upstream's v2 entry %s", (name) => {
  const { request, body, inclusion, checkpoint, log } = read(`${name}.json`) as Vector;

  test("has the same body here", async () => {
    expect(await bodyOf(request)).toBe(body);
  });

  test("is in upstream's tree with that body, under a checkpoint and a log ID as they are made here", () => {
    const key = parsePublicKey(decodeBase64(log.key, "key"), "key");
    const [origin = ""] = checkpoint.split("\n");
    expect(encodeBase64(noteKeyId("ed25519", origin, key))).toBe(log.id);
    const head = verifyCheckpoint(utf8(checkpoint), origin, key);
    expect([head.size, encodeBase64(head.root)]).toEqual([BigInt(inclusion.size), inclusion.root]);
    const path = inclusion.path.map((node) => decodeBase64(node, "path"));
    verifyInclusion({ index: BigInt(inclusion.index), size: head.size, path }, leafHash(utf8(body)), head);
  });
});

const samples = read("samples.json") as { name: string; request: object; body: string }[];

test.for(samples.map((sample) => [sample.name, sample] as const))(
  "a v2 request signed with %s has upstream's body",
  async ([, { request, body }]) => expect(await bodyOf(request)).toBe(body),
);
