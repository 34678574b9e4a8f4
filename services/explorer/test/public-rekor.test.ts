import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeBase64, decodeHex, utf8 } from "@chancery/encoding";
import { expect, test } from "vitest";
import { checkEntry } from "../src/web/proof/check-entry.ts";
import type { LoggedEntry } from "../src/web/proof/logged-entry.ts";
import { parsePublicKeyPem } from "../src/web/proof/public-key.ts";
import { NOBODY } from "../src/web/proof/trusted-keys.ts";

/** What the public log logged and signed: nothing of ours had a hand in it. */
const VECTORS = join(import.meta.dirname, "../../rekor/test/vectors");

interface Vector {
  readonly uuid: string;
  readonly body: string;
  readonly inclusion: {
    readonly index: string;
    readonly size: string;
    readonly root: string;
    readonly path: readonly string[];
    readonly checkpoint: string;
  };
  readonly set: { readonly integratedTime: string; readonly logIndex: number; readonly signature: string };
}

const key = parsePublicKeyPem(readFileSync(join(VECTORS, "rekor.sigstore.dev.pub"), "utf8"), "key");

test.for(["hashedrekord-certificate", "hashedrekord-public-key", "dsse-certificate"])(
  "an entry of the public log holds: %s",
  async (name) => {
    const vector = JSON.parse(readFileSync(join(VECTORS, `${name}.json`), "utf8")) as Vector;
    const { inclusion, set } = vector;
    const entry: LoggedEntry = {
      body: utf8(vector.body),
      entryId: vector.uuid,
      logIndex: BigInt(set.logIndex),
      proof: {
        index: BigInt(inclusion.index),
        size: BigInt(inclusion.size),
        root: hash(inclusion.root),
        path: inclusion.path.map(hash),
      },
      checkpoint: inclusion.checkpoint,
      promise: { integratedTime: Number(set.integratedTime), signature: decodeBase64(set.signature, "set") },
    };
    const { steps, body } = await checkEntry(entry, {
      ...NOBODY,
      logKeys: [{ key, source: "pasted", label: "public" }],
    });
    const notHeld = steps.filter(({ state }) => state === "failed" || state === "doubtful").map(({ id }) => id);
    // Whose authority is not given; all else is the public log's and the signer's own word.
    expect(notHeld).toEqual(body?.signatures[0]?.certificate === undefined ? [] : ["certificate"]);
  },
);

function hash(text: string): Uint8Array {
  return /^[0-9a-f]{64}$/.test(text) ? decodeHex(text, "hash") : decodeBase64(text, "hash");
}
