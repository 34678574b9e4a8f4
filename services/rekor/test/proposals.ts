import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { ephemeralSigner, hash, type HashAlgorithm, type Signer, signerFromKeyObject } from "@chancery/crypto";
import { encodeBase64, encodeHex, encodePem, utf8 } from "@chancery/encoding";
import { encodeFulcioExtensions, type FulcioExtensions } from "@chancery/x509";

/* Valid proposals of every kind, from fresh keys. */

export interface Proposal {
  readonly kind: string;
  readonly apiVersion: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests bend these in every way that JSON can be bent.
  readonly spec: any;
}

export const base64 = (content: string | Uint8Array) =>
  encodeBase64(typeof content === "string" ? utf8(content) : content);

export const keyPem = (signer: Signer) => encodePem("PUBLIC KEY", signer.publicKey.spki);

export function anArtifact(): Uint8Array {
  return new Uint8Array(randomBytes(32));
}

export async function hashedrekord(
  options: {
    readonly signer?: Signer;
    readonly artifact?: Uint8Array;
    readonly verifier?: string;
    readonly algorithm?: HashAlgorithm;
  } = {},
): Promise<Proposal> {
  const { signer = ephemeralSigner("ecdsa-p256"), artifact = anArtifact(), algorithm = "sha256" } = options;
  const signature = await signer.sign(artifact);
  return {
    kind: "hashedrekord",
    apiVersion: "0.0.1",
    spec: {
      data: { hash: { algorithm, value: encodeHex(hash(algorithm, artifact)) } },
      signature: { content: base64(signature), publicKey: { content: base64(options.verifier ?? keyPem(signer)) } },
    },
  };
}

export async function rekord(signer = ephemeralSigner("ecdsa-p256"), artifact = anArtifact()): Promise<Proposal> {
  return {
    kind: "rekord",
    apiVersion: "0.0.1",
    spec: {
      data: { content: base64(artifact) },
      signature: {
        format: "x509",
        content: base64(await signer.sign(artifact)),
        publicKey: { content: base64(keyPem(signer)) },
      },
    },
  };
}

export const IN_TOTO = "application/vnd.in-toto+json";

export function aStatement(subject = encodeHex(anArtifact()), predicate: object = {}): string {
  return JSON.stringify({
    _type: "https://in-toto.io/Statement/v0.1",
    predicateType: "https://slsa.dev/provenance/v0.2",
    subject: [{ name: "artifact", digest: { sha256: subject } }],
    predicate,
  });
}

/** A SLSA v1 predicate of a build from these commits and files, whose builder is made of the last of them. */
export function provenance1(digests: readonly string[]): object {
  const resolvedDependencies = digests.map((each) => ({
    uri: "git+https://example.com",
    digest: { gitCommit: each.repeat(20), sha256: each.repeat(32) },
  }));
  const builderDependencies = digests.slice(-1).map((each) => ({ digest: { sha512: each.repeat(64) } }));
  return { buildDefinition: { resolvedDependencies }, runDetails: { builder: { builderDependencies } } };
}

export interface Envelope {
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly sig: string }[];
}

export async function anEnvelope(
  signers: readonly Signer[],
  payload = aStatement(),
  payloadType = IN_TOTO,
): Promise<Envelope> {
  const message = utf8(
    `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${Buffer.byteLength(payload)} ${payload}`,
  );
  const signatures = await Promise.all(signers.map(async (signer) => ({ sig: base64(await signer.sign(message)) })));
  return { payload: base64(payload), payloadType, signatures };
}

export async function dsse(
  options: {
    readonly signers?: readonly Signer[];
    readonly verifiers?: readonly string[];
    readonly payload?: string;
    readonly payloadType?: string;
  } = {},
): Promise<Proposal> {
  const { signers = [ephemeralSigner("ecdsa-p256")] } = options;
  const envelope = await anEnvelope(signers, options.payload, options.payloadType);
  const verifiers = (options.verifiers ?? signers.map(keyPem)).map(base64);
  return {
    kind: "dsse",
    apiVersion: "0.0.1",
    spec: { proposedContent: { envelope: JSON.stringify(envelope), verifiers } },
  };
}

export async function intoto1(signer = ephemeralSigner("ecdsa-p256"), payload?: string): Promise<Proposal> {
  const envelope = await anEnvelope([signer], payload);
  return {
    kind: "intoto",
    apiVersion: "0.0.1",
    spec: { content: { envelope: JSON.stringify(envelope) }, publicKey: base64(keyPem(signer)) },
  };
}

export async function intoto2(signer = ephemeralSigner("ecdsa-p256"), payload?: string): Promise<Proposal> {
  const envelope = await anEnvelope([signer], payload);
  return {
    kind: "intoto",
    apiVersion: "0.0.2",
    spec: {
      content: {
        envelope: {
          payloadType: envelope.payloadType,
          payload: base64(envelope.payload),
          signatures: envelope.signatures.map(({ sig }) => ({
            sig: base64(sig),
            publicKey: base64(keyPem(signer)),
            keyid: "hint",
          })),
        },
        hash: { algorithm: "sha256", value: encodeHex(hash("sha256", utf8(JSON.stringify(envelope)))) },
      },
    },
  };
}

/** One valid proposal of each kind and version. */
export async function everyKind(): Promise<Proposal[]> {
  return Promise.all([hashedrekord(), dsse(), intoto1(), intoto2(), rekord()]);
}

export interface Certified {
  readonly signer: Signer;
  readonly leaf: string;
  /** Leaf, issuing authority, root. */
  readonly chain: readonly string[];
}

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

function aKey(): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/** A leaf with these names below an authority below a root, from an independent library; with what Fulcio would say. */
export async function aCertificate(names: x509.JsonGeneralNames, fulcio?: FulcioExtensions): Promise<Certified> {
  const [root, authority, leaf] = [aKey(), aKey(), aKey()];
  const validity = { notBefore: new Date("2020-01-01"), notAfter: new Date("2020-01-02") };
  const authorityExtensions = [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
  ];
  const make = (subject: string, issuer: string, key: KeyObject, issuerKey: KeyObject, extensions: x509.Extension[]) =>
    x509.X509CertificateGenerator.create({
      serialNumber: `01${encodeHex(new Uint8Array(randomBytes(8)))}`,
      subject,
      issuer,
      ...validity,
      signingAlgorithm: P256,
      publicKey: key.toCryptoKey(P256, true, ["verify"]),
      signingKey: issuerKey.toCryptoKey(P256, true, ["sign"]),
      extensions,
    });
  const certificates = await Promise.all([
    make("CN=leaf", "CN=authority", leaf.publicKey, authority.privateKey, [
      new x509.SubjectAlternativeNameExtension(names, true),
      ...(fulcio === undefined ? [] : encodeFulcioExtensions(fulcio)).map(
        ({ oid, critical, value }) => new x509.Extension(oid, critical, Uint8Array.from(value)),
      ),
    ]),
    make("CN=authority", "CN=root", authority.publicKey, root.privateKey, authorityExtensions),
    make("CN=root", "CN=root", root.publicKey, root.privateKey, authorityExtensions),
  ]);
  const chain = certificates.map((certificate) => encodePem("CERTIFICATE", new Uint8Array(certificate.rawData)));
  return { signer: signerFromKeyObject(leaf.privateKey), leaf: chain[0]!, chain };
}
