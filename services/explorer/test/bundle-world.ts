import { createHash, randomBytes } from "node:crypto";
import { ephemeralSigner, type Signer, spkiHash } from "@chancery/crypto";
import { canonicalJson, concatBytes, encodeBase64, encodePem, utf8 } from "@chancery/encoding";
import { leafHash, signCheckpoint } from "@chancery/tlog";
import {
  type Certificate,
  createRootAuthority,
  createTimestampingCertificate,
  encodeDigitallySigned,
  LeafIssuer,
  parseCertificate,
  precertSignedData,
  serialNumber,
} from "@chancery/x509";
import { TimestampAuthority } from "../../tsa/src/domain/timestamp-authority.ts";
import { parseTimestampRequest } from "../../tsa/src/domain/timestamp-request.ts";
import { query } from "../../tsa/test/world.ts";
import { parseCertificate as parseShownCertificate } from "../src/web/certificate/certificate.ts";
import { parsePublicKey } from "../src/web/proof/public-key.ts";
import type { TrustedParties } from "../src/web/proof/trusted-keys.ts";

export const NOT_BEFORE = new Date("2026-02-01T00:00:00Z");
const NOT_AFTER = new Date("2026-02-01T00:10:00Z");
const YEARS = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2036-01-01T00:00:00Z") };
const ORIGIN = "log.example.com";
const IN_TOTO = "application/vnd.in-toto+json";

/** A bundle as JSON has it, as far as tests bend it. */
export interface Bundle {
  mediaType: string;
  verificationMaterial: {
    certificate?: { rawBytes: string };
    publicKey?: { hint: string };
    tlogEntries: Record<string, unknown>[];
    timestampVerificationData?: { rfc3161Timestamps: { signedTimestamp: string }[] };
  };
  messageSignature?: { messageDigest?: { algorithm: string; digest: string }; signature: string };
  dsseEnvelope?: { payload: string; payloadType: string; signatures: { sig: string }[] };
}

export type BundleKind = "v1 file" | "v1 dsse" | "v1 intoto" | "v2 file" | "v2 dsse" | "v2 statement as a file";

export interface BundleOptions {
  readonly text?: string;
  /** A certificate of the authority; else a bare key. */
  readonly certified?: boolean;
  /** Whether the certificate log signed for it; `forged` is by another key under the log's ID. */
  readonly sct?: "none" | "forged";
  readonly stampedAt?: Date;
}

export interface BundleWorld {
  readonly parties: TrustedParties;
  bundle(kind: BundleKind, options?: BundleOptions): Promise<Bundle>;
}

/** Signers, logs, a certificate log and a timestamp authority of the product's own libraries: all signatures are real. */
export async function bundleWorld(): Promise<BundleWorld> {
  const caSigner = ephemeralSigner("ecdsa-p384");
  const authority = await root("authority", caSigner);
  const issuer = new LeafIssuer(authority, caSigner);
  const [logSigner, ctSigner] = [ephemeralSigner("ecdsa-p256"), ephemeralSigner("ecdsa-p256")];
  const tsa = await timestampAuthority();
  const parties: TrustedParties = {
    logKeys: [trustedKey(logSigner)],
    ctLogKeys: [trustedKey(ctSigner)],
    authorities: [{ chain: [shown(authority)], source: "server" }],
    timestampAuthorities: [{ chain: tsa.chain.map(shown), source: "server" }],
  };
  const certify = async (signer: Signer, sct: BundleOptions["sct"]) => {
    const request = {
      spki: signer.publicKey.spki,
      san: { type: "email", value: "dev@example.com" } as const,
      extensions: { issuer: "https://issuer.example" },
      notBefore: NOT_BEFORE,
      notAfter: NOT_AFTER,
      serial: serialNumber(randomBytes(20)),
    };
    if (sct === "none") return await issuer.unloggedCertificate(request);
    const { tbs } = await issuer.precertificate(request);
    const fields = { timestamp: NOT_BEFORE.getTime(), extensions: new Uint8Array() };
    const signed = precertSignedData({ ...fields, tbs, issuerKeyHash: spkiHash(caSigner.publicKey) });
    const by = sct === "forged" ? ephemeralSigner("ecdsa-p256") : ctSigner;
    const signature = encodeDigitallySigned(by.publicKey, await by.sign(signed));
    return await issuer.certificate(request, [{ ...fields, logId: spkiHash(ctSigner.publicKey), signature }]);
  };
  const bundle = async (kind: BundleKind, options: BundleOptions = {}): Promise<Bundle> => {
    const { text = "a file", certified = true, stampedAt = new Date(NOT_BEFORE.getTime() + 40_000) } = options;
    const signer = ephemeralSigner("ecdsa-p256");
    const certificate = certified ? await certify(signer, options.sct) : undefined;
    const isFile = kind.endsWith(" file") && !kind.includes("statement");
    const payload = utf8(isFile ? text : statement(text));
    const message = isFile ? payload : preAuthenticationEncoding(payload);
    const signature = await signer.sign(message);
    const who = { signature, certificate, spki: signer.publicKey.spki };
    const body = utf8(canonicalJson(entryBody(kind, who, isFile ? payload : message, payload)));
    return {
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      verificationMaterial: {
        ...(certificate === undefined
          ? { publicKey: { hint: "mine" } }
          : { certificate: { rawBytes: encodeBase64(certificate) } }),
        tlogEntries: [await logged(body, kind.startsWith("v1"), logSigner)],
        timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: await tsa.stamp(signature, stampedAt) }] },
      },
      ...(isFile
        ? {
            messageSignature: {
              messageDigest: { algorithm: "SHA2_256", digest: sha256(payload).toString("base64") },
              signature: encodeBase64(signature),
            },
          }
        : {
            dsseEnvelope: {
              payload: encodeBase64(payload),
              payloadType: IN_TOTO,
              signatures: [{ sig: encodeBase64(signature) }],
            },
          }),
    };
  };
  return { parties, bundle };
}

async function root(commonName: string, signer: Signer): Promise<Certificate> {
  const subject = { commonName, organization: "test" };
  return parseCertificate(await createRootAuthority({ ...YEARS, subject, signer }), commonName);
}

async function timestampAuthority() {
  const [rootSigner, signer] = [ephemeralSigner("ecdsa-p384"), ephemeralSigner("ecdsa-p256")];
  const issuer = await root("timestamps", rootSigner);
  const subject = { commonName: "stamps", organization: "test" };
  const request = { subject, issuer, issuerSigner: rootSigner, spki: signer.publicKey.spki, ...YEARS };
  const chain = [parseCertificate(await createTimestampingCertificate(request), "stamps"), issuer];
  const stamp = async (signature: Uint8Array, at: Date) => {
    const stamps = new TimestampAuthority({ chain, signer, clock: () => at.getTime(), randomBytes });
    return encodeBase64(await stamps.stamp(parseTimestampRequest(query({ digest: sha256(signature) }))));
  };
  return { chain, stamp };
}

interface Who {
  readonly signature: Uint8Array;
  readonly certificate: Uint8Array | undefined;
  readonly spki: Uint8Array;
}

function entryBody(kind: BundleKind, who: Who, message: Uint8Array, payload: Uint8Array) {
  const { signature, certificate, spki } = who;
  const pem = certificate === undefined ? encodePem("PUBLIC KEY", spki) : encodePem("CERTIFICATE", certificate);
  const key = encodeBase64(utf8(pem));
  const verifier =
    certificate === undefined
      ? { keyDetails: "PKIX_ECDSA_P256_SHA_256", publicKey: { rawBytes: encodeBase64(spki) } }
      : { keyDetails: "PKIX_ECDSA_P256_SHA_256", x509Certificate: { rawBytes: encodeBase64(certificate) } };
  const content = encodeBase64(signature);
  switch (kind) {
    case "v1 file": {
      const spec = { data: { hash: hash(message) }, signature: { content, publicKey: { content: key } } };
      return { apiVersion: "0.0.1", kind: "hashedrekord", spec };
    }
    case "v1 dsse": {
      const signatures = [{ signature: content, verifier: key }];
      return {
        apiVersion: "0.0.1",
        kind: "dsse",
        spec: { envelopeHash: hash(utf8("envelope")), payloadHash: hash(payload), signatures },
      };
    }
    case "v1 intoto": {
      const signatures = [{ publicKey: key, sig: encodeBase64(utf8(content)) }];
      const envelope = { payloadType: IN_TOTO, signatures };
      return {
        apiVersion: "0.0.2",
        kind: "intoto",
        spec: { content: { envelope, hash: hash(utf8("envelope")), payloadHash: hash(payload) } },
      };
    }
    case "v2 dsse": {
      const dsseV002 = { payloadHash: digest(payload), signatures: [{ content, verifier }] };
      return { apiVersion: "0.0.2", kind: "dsse", spec: { dsseV002 } };
    }
    default: {
      const hashedRekordV002 = { data: digest(message), signature: { content, verifier } };
      return { apiVersion: "0.0.2", kind: "hashedrekord", spec: { hashedRekordV002 } };
    }
  }
}

/** The only entry of a tree of its own. */
async function logged(body: Uint8Array, isPromised: boolean, signer: Signer): Promise<Record<string, unknown>> {
  const rootHash = leafHash(body);
  const checkpoint = await signCheckpoint({ origin: ORIGIN, size: 1n, root: rootHash, extensions: [] }, ORIGIN, signer);
  const { kind, apiVersion } = JSON.parse(new TextDecoder().decode(body)) as { kind: string; apiVersion: string };
  const integratedTime = NOT_BEFORE.getTime() / 1000 + 30;
  const logID = Buffer.from(spkiHash(signer.publicKey)).toString("hex");
  const promise = utf8(canonicalJson({ body: encodeBase64(body), integratedTime, logIndex: 0, logID }));
  return {
    logIndex: "0",
    logId: { keyId: encodeBase64(spkiHash(signer.publicKey)) },
    kindVersion: { kind, version: apiVersion },
    integratedTime: isPromised ? String(integratedTime) : "0",
    ...(isPromised && { inclusionPromise: { signedEntryTimestamp: encodeBase64(await signer.sign(promise)) } }),
    inclusionProof: {
      logIndex: "0",
      rootHash: encodeBase64(rootHash),
      treeSize: "1",
      hashes: [],
      checkpoint: { envelope: new TextDecoder().decode(checkpoint) },
    },
    canonicalizedBody: encodeBase64(body),
  };
}

function hash(bytes: Uint8Array) {
  return { algorithm: "sha256", value: sha256(bytes).toString("hex") };
}

function digest(bytes: Uint8Array) {
  return { algorithm: "SHA2_256", digest: sha256(bytes).toString("base64") };
}

function statement(text: string): string {
  const subject = [{ name: "f", digest: { sha256: sha256(utf8(text)).toString("hex") } }];
  return JSON.stringify({ _type: "https://in-toto.io/Statement/v1", subject, predicateType: "x", predicate: {} });
}

function preAuthenticationEncoding(payload: Uint8Array): Uint8Array {
  return concatBytes(utf8(`DSSEv1 ${IN_TOTO.length} ${IN_TOTO} ${payload.length} `), payload);
}

function trustedKey(signer: Signer) {
  return { key: parsePublicKey(signer.publicKey.spki, "log"), source: "server" as const, label: "test" };
}

function shown({ der }: Certificate) {
  return parseShownCertificate(der, "authority");
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
