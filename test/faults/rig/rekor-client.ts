import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import type { Acknowledged, Journal } from "./journal.ts";

const ENTRIES = "/api/v1/log/entries";
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const keyContent = Buffer.from(publicKey.export({ type: "spki", format: "pem" })).toString("base64");

/** A hashedrekord nobody has logged before. */
export function newHashedRekord(): string {
  const artifact = randomBytes(32);
  const value = createHash("sha256").update(artifact).digest("hex");
  const content = sign("sha256", artifact, privateKey).toString("base64");
  const signature = { content, publicKey: { content: keyContent } };
  const spec = { data: { hash: { algorithm: "sha256", value } }, signature };
  return JSON.stringify({ apiVersion: "0.0.1", kind: "hashedrekord", spec });
}

interface RekorEntry {
  readonly verification: {
    readonly inclusionProof: { readonly logIndex: number; readonly treeSize: number; readonly rootHash: string };
  };
}

export interface RekorAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly text: string;
}

/** A client of Rekor v1 who writes down what it is told: 201, or 409 and then the entry that stands there. */
export class RekorClient {
  readonly #url: string;
  readonly #journal: Journal;

  constructor(url: string, journal: Journal) {
    this.#url = url;
    this.#journal = journal;
  }

  /** Rejects when the connection breaks. */
  async log(entry: string): Promise<RekorAnswer> {
    this.#journal.asked(entry);
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${this.#url}${ENTRIES}`, { method: "POST", headers, body: entry });
    const text = await answer.text();
    if (answer.status === 201) this.#journal.answered(acknowledged(entry, text, false));
    if (answer.status === 409) await this.#readLogged(entry, answer.headers.get("location"));
    return { status: answer.status, retryAfter: answer.headers.get("retry-after"), text };
  }

  async #readLogged(entry: string, location: string | null): Promise<void> {
    const answer = await fetch(new URL(location ?? "", this.#url));
    const text = await answer.text();
    if (answer.ok) this.#journal.answered(acknowledged(entry, text, true));
    else this.#journal.unexpected.push(`409 and then ${answer.status} at ${location}: ${text}`);
  }
}

function acknowledged(name: string, text: string, duplicate: boolean): Acknowledged {
  const [[uuid, { verification }]] = Object.entries(JSON.parse(text) as Record<string, RekorEntry>) as [
    [string, RekorEntry],
  ];
  const { logIndex, treeSize, rootHash } = verification.inclusionProof;
  return {
    name,
    index: BigInt(logIndex),
    leafHash: uuid.slice(-64),
    duplicate,
    // A v1 checkpoint tells no time.
    head: { size: BigInt(treeSize), root: rootHash, time: 0 },
  };
}
