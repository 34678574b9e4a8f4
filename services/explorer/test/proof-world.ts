import { createHash, randomBytes } from "node:crypto";
import { ephemeralSigner, type Signer, spkiHash } from "@chancery/crypto";
import { canonicalJson, concatBytes, encodeBase64, encodeHex, encodePem, utf8 } from "@chancery/encoding";
import { type HashReader, inclusionProof, leafHash, nodeHash, signCheckpoint, treeRoot } from "@chancery/tlog";
import { createRootAuthority, LeafIssuer, parseCertificate, serialNumber } from "@chancery/x509";
import type { ProvenEntry } from "../src/web/api/entries.ts";
import { parseCertificate as parseShownCertificate } from "../src/web/certificate/certificate.ts";
import { parsePublicKey } from "../src/web/proof/public-key.ts";
import { NOBODY, type TrustedParties } from "../src/web/proof/trusted-keys.ts";

const NOT_BEFORE = new Date("2026-02-01T00:00:00Z");
const NOT_AFTER = new Date("2026-02-01T00:10:00Z");
export const INTEGRATED_TIME = NOT_BEFORE.getTime() / 1000 + 30;
const ORIGIN = "log.example.com - 4711";
const NAME = "log.example.com";

export interface ProofWorld {
  /** As the API answers it: hashedrekord, and a statement in an envelope with its payload. */
  readonly file: ProvenEntry;
  readonly statement: ProvenEntry;
  readonly parties: TrustedParties;
  readonly logSigner: Signer;
  /** Signs another checkpoint, as a log that tells two histories would. */
  checkpoint(size: bigint, root: Uint8Array, signer?: Signer, origin?: string): Promise<string>;
  /** What of an answer makes it one of the v2 log's, which promises no time and signs as its bare host. */
  readonly v2: Pick<ProvenEntry, "log" | "checkpoint" | "signedEntryTimestamp">;
}

/** A log of `size` entries made by the product's own libraries, in which two were signed by a certificate. */
export async function proofWorld(size = 13, secondsLate = 0): Promise<ProofWorld> {
  const integratedTime = INTEGRATED_TIME + secondsLate;
  const authority = await certificateAuthority();
  const logSigner = ephemeralSigner("ecdsa-p256");
  const bodies = [await fileBody(authority), await statementBody(authority)];
  const places = [5, size - 1];
  const leaves = Array.from({ length: size }, (_, index) => {
    const at = places.indexOf(index);
    return leafHash(at < 0 ? utf8(`entry ${index}`) : (bodies[at]?.bytes ?? new Uint8Array()));
  });
  const read = subtreeReader(leaves);
  const root = await treeRoot(BigInt(size), read);
  const checkpoint = async (of: bigint, head: Uint8Array, signer = logSigner, origin = ORIGIN) =>
    new TextDecoder().decode(await signCheckpoint({ origin, size: of, root: head, extensions: [] }, NAME, signer));
  const note = await checkpoint(BigInt(size), root);
  const [file, statement] = await Promise.all(
    bodies.map(async ({ bytes, kind, payload }, at): Promise<ProvenEntry> => {
      const index = BigInt(places[at] ?? 0);
      const proof = await inclusionProof(index, BigInt(size), read);
      const promise = { body: encodeBase64(bytes), integratedTime, logIndex: Number(index) };
      const logID = encodeHex(spkiHash(logSigner.publicKey));
      const set = await logSigner.sign(utf8(canonicalJson({ ...promise, logID })));
      return {
        log: "rekor",
        logIndex: String(index),
        entryId: `0000000000001267${encodeHex(leafHash(bytes))}`,
        time: new Date(integratedTime * 1000).toISOString(),
        kind,
        apiVersion: "0.0.1",
        digests: [],
        signers: [],
        attestation: undefined,
        body: encodeBase64(bytes),
        attestationPayload: payload && encodeBase64(payload),
        inclusionProof: {
          logIndex: String(index),
          treeSize: String(size),
          rootHash: encodeHex(root),
          hashes: proof.path.map(encodeHex),
        },
        checkpoint: note,
        signedEntryTimestamp: encodeBase64(set),
        integratedTime,
        bundle: undefined,
      };
    }),
  );
  if (file === undefined || statement === undefined) throw new TypeError("two entries were made");
  const parties: TrustedParties = {
    ...NOBODY,
    logKeys: [{ key: parsePublicKey(logSigner.publicKey.spki, "log"), source: "server", label: "test" }],
    authorities: [{ chain: [parseShownCertificate(authority.certificate, "authority")], source: "server" }],
  };
  const v2Note = await checkpoint(BigInt(size), root, logSigner, NAME);
  const v2 = { log: "rekor-v2" as const, checkpoint: v2Note, signedEntryTimestamp: undefined };
  return { file, statement, parties, logSigner, checkpoint, v2 };
}

async function certificateAuthority() {
  const signer = ephemeralSigner("ecdsa-p384");
  const subject = { commonName: "authority", organization: "test" };
  const valid = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2036-01-01T00:00:00Z") };
  const certificate = await createRootAuthority({ ...valid, subject, signer });
  return { certificate, issuer: new LeafIssuer(parseCertificate(certificate, "authority"), signer) };
}

type Authority = Awaited<ReturnType<typeof certificateAuthority>>;

async function signerOf({ issuer }: Authority) {
  const signer = ephemeralSigner("ecdsa-p256");
  const certificate = await issuer.unloggedCertificate({
    spki: signer.publicKey.spki,
    san: { type: "email", value: "dev@example.com" },
    extensions: { issuer: "https://issuer.example", "source-repository-uri": "https://git.example.com/acme/app" },
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
    serial: serialNumber(randomBytes(20)),
  });
  return { signer, pem: encodeBase64(utf8(encodePem("CERTIFICATE", certificate))) };
}

interface Body {
  readonly kind: string;
  readonly bytes: Uint8Array;
  readonly payload?: Uint8Array;
}

async function fileBody(authority: Authority): Promise<Body> {
  const { signer, pem } = await signerOf(authority);
  const message = utf8("a file");
  const spec = {
    data: { hash: { algorithm: "sha256", value: sha256Hex(message) } },
    signature: { content: encodeBase64(await signer.sign(message)), publicKey: { content: pem } },
  };
  return { kind: "hashedrekord", bytes: utf8(canonicalJson({ apiVersion: "0.0.1", kind: "hashedrekord", spec })) };
}

async function statementBody(authority: Authority): Promise<Body> {
  const { signer, pem } = await signerOf(authority);
  const payload = utf8(JSON.stringify({ _type: "https://in-toto.io/Statement/v1", subject: [], predicateType: "x" }));
  const type = "application/vnd.in-toto+json";
  const encoding = concatBytes(utf8(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload);
  const spec = {
    envelopeHash: { algorithm: "sha256", value: sha256Hex(utf8("the envelope")) },
    payloadHash: { algorithm: "sha256", value: sha256Hex(payload) },
    signatures: [{ signature: encodeBase64(await signer.sign(encoding)), verifier: pem }],
  };
  return { kind: "dsse", bytes: utf8(canonicalJson({ apiVersion: "0.0.1", kind: "dsse", spec })), payload };
}

/** Of complete subtrees, hashed anew each time. */
function subtreeReader(leaves: readonly Uint8Array[]): HashReader {
  const hashOf = (level: number, index: number): Uint8Array => {
    if (level === 0) return leaves[index] ?? new Uint8Array();
    return nodeHash(hashOf(level - 1, 2 * index), hashOf(level - 1, 2 * index + 1));
  };
  return async (nodes) => nodes.map(({ level, index }) => hashOf(level, Number(index)));
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
