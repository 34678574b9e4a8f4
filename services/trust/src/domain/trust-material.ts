import type { PublicKey } from "@chancery/crypto";
import { encodePem, utf8 } from "@chancery/encoding";
import {
  encodeClientTrustConfig,
  encodeSigningConfig,
  encodeTrustedRoot,
  signingConfig,
  type SigningServices,
  type TrustedAuthority,
  type TrustedLog,
  trustedRoot,
  type TrustedParties,
  type Validity,
} from "@chancery/sigstore";
import type { Certificate } from "@chancery/x509";
import type { Target, TargetCustom } from "./tuf/target.ts";

/** Who is trusted, each generation that ever was, and where signers turn to now. */
export interface TrustMaterialInput extends TrustedParties {
  /** Logs of the v2 API. No client that looks for single keys speaks it: they stand in the trusted root alone. */
  readonly rekorV2Logs: readonly TrustedLog[];
  readonly services: SigningServices;
}

export interface TrustFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface TrustMaterial {
  /** What stands under /trust: for those who do without TUF. */
  readonly files: readonly TrustFile[];
  /** The same through TUF, and the single keys and certificates that clients before trusted_root.json look for. */
  readonly targets: readonly Target[];
}

/**
 * Everything clients are told to trust. The same input always gives the same bytes, whatever the hour, so
 * that a restart publishes nothing new.
 *
 * The current generation is the oldest one whose window is still open: a successor that is announced
 * ahead of time stays in the background until its predecessor's window is given an end.
 */
export function trustMaterial(input: TrustMaterialInput): TrustMaterial {
  const root = trustedRoot({ ...input, transparencyLogs: [...input.transparencyLogs, ...input.rekorV2Logs] });
  const config = signingConfig(input.services);
  const rootFile = { name: "trusted_root.json", bytes: utf8(encodeTrustedRoot(root)) };
  const configFile = { name: "signing_config.v0.2.json", bytes: utf8(encodeSigningConfig(config)) };
  const clientConfig = utf8(encodeClientTrustConfig(root, config));
  return {
    files: [rootFile, configFile, { name: "client_trust_config.json", bytes: clientConfig }, ...pemFiles(input)],
    targets: [rootFile, configFile, ...singleTargets(input)],
  };
}

function pemFiles(input: TrustMaterialInput): TrustFile[] {
  const rekor = current(input.transparencyLogs);
  const rekorV2 = current(input.rekorV2Logs);
  const ctLog = current(input.ctLogs);
  const tsa = current(input.timestampAuthorities);
  // All generations of the CA, current one first: old signatures chain to old roots. A timestamp file with
  // two leaves, or a key file with two keys, is refused by cosign, so there it is the current one alone.
  const certificateAuthorities = oldestFirst(input.certificateAuthorities)
    .toSorted((a, b) => Number(isClosed(a.validFor)) - Number(isClosed(b.validFor)))
    .flatMap(({ chain }) => chain);
  return [
    ...(certificateAuthorities.length === 0
      ? []
      : [{ name: "fulcio.pem", bytes: certificatesPem(certificateAuthorities) }]),
    ...(rekor === undefined ? [] : [{ name: "rekor.pub", bytes: publicKeyPem(rekor.publicKey) }]),
    ...(rekorV2 === undefined ? [] : [{ name: "rekor-v2.pub", bytes: publicKeyPem(rekorV2.publicKey) }]),
    ...(ctLog === undefined ? [] : [{ name: "ctfe.pub", bytes: publicKeyPem(ctLog.publicKey) }]),
    ...(tsa === undefined ? [] : [{ name: "tsa.pem", bytes: certificatesPem(tsa.chain) }]),
  ];
}

/**
 * One target a key or certificate, found by `custom.sigstore.usage` and, by clients older still, by name.
 * Read by cosign up to 2.5, policy-controller and Kyverno.
 */
function singleTargets(input: TrustMaterialInput): Target[] {
  const tsa = current(input.timestampAuthorities);
  return [
    ...oldestFirst(input.certificateAuthorities).flatMap((authority, position) =>
      fulcioTargets(authority, position + 1),
    ),
    ...keyTargets(input.transparencyLogs, "Rekor", "rekor"),
    ...keyTargets(input.ctLogs, "CTFE", "ctfe"),
    ...(tsa === undefined ? [] : timestampTargets(tsa)),
  ];
}

function fulcioTargets({ chain, uri, validFor }: TrustedAuthority, generation: number): Target[] {
  const custom = sigstoreCustom("Fulcio", uri, validFor);
  const root: Target = { name: `fulcio_v${generation}.crt.pem`, bytes: certificatesPem(chain.slice(-1)), custom };
  if (chain.length === 1) return [root];
  const name = `fulcio_intermediate_v${generation}.crt.pem`;
  return [root, { name, bytes: certificatesPem(chain.slice(0, -1)), custom }];
}

/** The current key under the name that everyone knows, the others under numbered ones, by age. */
function keyTargets(logs: TrustMaterialInput["ctLogs"], usage: string, name: string): Target[] {
  const now = current(logs);
  return oldestFirst(logs).map((log, position) => ({
    name: log === now ? `${name}.pub` : `${name}_v${position + 1}.pub`,
    bytes: publicKeyPem(log.publicKey),
    custom: sigstoreCustom(usage, log.baseUrl, log.validFor),
  }));
}

/** Current generation only: cosign 2 puts all timestamp targets into one chain and refuses a second leaf. */
function timestampTargets({ chain, uri, validFor }: TrustedAuthority): Target[] {
  const custom = sigstoreCustom("TSA", uri, validFor);
  return chain.map((certificate, position) => {
    const intermediate = `tsa_intermediate_${position - 1}.crt.pem`;
    const name =
      position === 0 ? "tsa_leaf.crt.pem" : position === chain.length - 1 ? "tsa_root.crt.pem" : intermediate;
    return { name, bytes: certificatesPem([certificate]), custom };
  });
}

function sigstoreCustom(usage: string, uri: string, validFor: Validity): TargetCustom {
  return { sigstore: { usage, status: isClosed(validFor) ? "Expired" : "Active", uri } };
}

function current<T extends { readonly validFor: Validity }>(generations: readonly T[]): T | undefined {
  const sorted = oldestFirst(generations);
  return sorted.find(({ validFor }) => !isClosed(validFor)) ?? sorted.at(-1);
}

function isClosed(validFor: Validity): boolean {
  return validFor.end !== undefined;
}

function oldestFirst<T extends { readonly validFor: Validity }>(generations: readonly T[]): T[] {
  return generations.toSorted((a, b) => a.validFor.start.getTime() - b.validFor.start.getTime());
}

/** Each certificate once, however many chains share it. */
function certificatesPem(certificates: readonly Certificate[]): Uint8Array {
  return utf8([...new Set(certificates.map(({ der }) => encodePem("CERTIFICATE", der)))].join(""));
}

function publicKeyPem(key: PublicKey): Uint8Array {
  return utf8(encodePem("PUBLIC KEY", key.spki));
}
