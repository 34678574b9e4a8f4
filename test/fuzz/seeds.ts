import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Json } from "./bend-json.ts";

const KINDS = join(import.meta.dirname, "../../services/rekor/test/kinds");

/** Real entries: of every kind that a real tool makes, as it made them, and of the others from fresh keys. */
export interface Seeds {
  /** Proposals of the v1 API. */
  readonly v1: readonly Json[];
  /** Requests of the v2 API. */
  readonly v2: readonly Json[];
}

export function realEntries(): Seeds {
  const samples = readdirSync(KINDS)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => JSON.parse(readFileSync(join(KINDS, name), "utf8")) as { proposed: Json }[])
    .map(({ proposed }) => proposed);
  return {
    v1: [...samples, ...[1, 2, 3].map(freshHashedrekord), freshDsse(), freshIntoto1(), freshIntoto2()],
    v2: freshV2(),
  };
}

interface Key {
  readonly pem: string;
  readonly der: Buffer;
  sign(message: string): string;
}

function aKey(): Key {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    pem: publicKey.export({ type: "spki", format: "pem" }),
    der: publicKey.export({ type: "spki", format: "der" }),
    sign: (message) => sign("sha256", Buffer.from(message), privateKey).toString("base64"),
  };
}

const base64 = (text: string) => Buffer.from(text).toString("base64");
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
let count = 0;
/** A new artifact each time: what the log has already is answered 409 before most of the work. */
const anArtifact = () => `artifact ${count++} ${process.pid}`;

export function freshHashedrekord(): Json {
  const [key, artifact] = [aKey(), anArtifact()];
  return {
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm: "sha256", value: sha256(artifact) } },
      signature: { content: key.sign(artifact), publicKey: { content: base64(key.pem) } },
    },
  };
}

const TYPE = "application/vnd.in-toto+json";

function anEnvelope(key: Key) {
  const payload = JSON.stringify({
    _type: "https://in-toto.io/Statement/v0.1",
    predicateType: "https://slsa.dev/provenance/v0.2",
    subject: [{ name: anArtifact(), digest: { sha256: sha256(anArtifact()) } }],
    predicate: { builder: { id: "builder" } },
  });
  const sig = key.sign(`DSSEv1 ${TYPE.length} ${TYPE} ${Buffer.byteLength(payload)} ${payload}`);
  return { payloadType: TYPE, payload: base64(payload), signatures: [{ sig }] };
}

function freshDsse(): Json {
  const key = aKey();
  const proposedContent = { envelope: JSON.stringify(anEnvelope(key)), verifiers: [base64(key.pem)] };
  return { apiVersion: "0.0.1", kind: "dsse", spec: { proposedContent } };
}

function freshIntoto1(): Json {
  const key = aKey();
  const content = { envelope: JSON.stringify(anEnvelope(key)) };
  return { apiVersion: "0.0.1", kind: "intoto", spec: { content, publicKey: base64(key.pem) } };
}

function freshIntoto2(): Json {
  const key = aKey();
  const { payloadType, payload, signatures } = anEnvelope(key);
  const envelope = {
    payloadType,
    payload: base64(payload),
    signatures: signatures.map(({ sig }) => ({ sig: base64(sig), publicKey: base64(key.pem) })),
  };
  const hash = { algorithm: "sha256", value: sha256(JSON.stringify(envelope)) };
  return { apiVersion: "0.0.2", kind: "intoto", spec: { content: { envelope, hash } } };
}

const verifierOf = ({ der }: Key) => ({
  publicKey: { rawBytes: der.toString("base64") },
  keyDetails: "PKIX_ECDSA_P256_SHA_256",
});

function freshV2(): Json[] {
  return [1, 2, 3].flatMap(() => {
    const [key, artifact] = [aKey(), anArtifact()];
    const digest = Buffer.from(sha256(artifact), "hex").toString("base64");
    const signature = { content: key.sign(artifact), verifier: verifierOf(key) };
    return [
      { hashedRekordRequestV002: { digest, signature } },
      { dsseRequestV002: { envelope: anEnvelope(key), verifiers: [verifierOf(key)] } },
    ];
  });
}
