import { isDeepStrictEqual } from "node:util";
import { encodePem, parseJson, parsePem } from "@chancery/encoding";
import { isObject } from "../json-member.ts";
import { sha256 } from "../merkle.ts";
import { isSigningConfig, type Targets, type TrustedMember, trustedDer } from "./trusted-party.ts";

const ROOT = "trusted_root.json";
const CLIENT_CONFIG = "client_trust_config.json";

/** Whose keys and certificates stand in it; of the current ones alone, where clients are told no window. */
const PEM_FILES: Readonly<
  Record<string, { readonly label: string; readonly of: TrustedMember; readonly isCurrent: boolean }>
> = {
  "fulcio.pem": { label: "CERTIFICATE", of: "certificateAuthorities", isCurrent: false },
  "tsa.pem": { label: "CERTIFICATE", of: "timestampAuthorities", isCurrent: true },
  "rekor.pub": { label: "PUBLIC KEY", of: "tlogs", isCurrent: true },
  "rekor-v2.pub": { label: "PUBLIC KEY", of: "tlogs", isCurrent: true },
  "ctfe.pub": { label: "PUBLIC KEY", of: "ctlogs", isCurrent: true },
};
const MOST_BLOCKS = 1_000;
const MOST_BYTES = 1_048_576;

/** Files below `/trust` that people are told to copy. */
export function plainFileNames(targets: Targets): readonly string[] {
  return [ROOT, CLIENT_CONFIG, ...[...targets.keys()].filter(isSigningConfig), ...Object.keys(PEM_FILES)];
}

/**
 * Why a file below `/trust`, which nothing signs, is not what these targets have clients trust; undefined: it is. What is a
 * target too is the same bytes; of others each key and certificate is one that the trusted root names, and nothing stands beside.
 */
export function plainFileFault(name: string, bytes: Uint8Array, targets: Targets): string | undefined {
  const target = targets.get(name);
  if (target !== undefined) {
    return Buffer.compare(bytes, target) === 0 ? undefined : "is not the target of this name";
  }
  if (bytes.length > MOST_BYTES) return "is larger than this installation writes it";
  try {
    return name === CLIENT_CONFIG ? clientConfigFault(bytes, targets) : pemFault(name, bytes, targets);
  } catch {
    return "is not as this installation writes it";
  }
}

function clientConfigFault(bytes: Uint8Array, targets: Targets): string | undefined {
  const config = parseJson(bytes, CLIENT_CONFIG);
  if (!isObject(config)) return "is no object";
  const { mediaType, trustedRoot, signingConfig, ...others } = config;
  if (typeof mediaType !== "string" || Object.keys(others).length > 0) return "is not as this installation writes it";
  const isTarget = (name: string, value: unknown) => {
    const target = targets.get(name);
    return target !== undefined && isDeepStrictEqual(parseJson(target, name), value);
  };
  if (!isTarget(ROOT, trustedRoot)) return `holds another ${ROOT} than the target`;
  if ([...targets.keys()].filter(isSigningConfig).some((name) => isTarget(name, signingConfig))) return undefined;
  return "holds another signing configuration than the target";
}

function pemFault(name: string, bytes: Uint8Array, targets: Targets): string | undefined {
  const kind = PEM_FILES[name];
  if (kind === undefined) return "is none of the targets";
  const { label, of, isCurrent } = kind;
  const blocks = parsePem(bytes, name, { labels: [label], max: MOST_BLOCKS });
  const trusted = trustedDer(targets, of, { isCurrent });
  const other = blocks.map(({ der }) => sha256(der).toHex()).find((print) => !trusted.has(print));
  if (other !== undefined) {
    return `holds a ${label.toLowerCase()} that the trusted root does not name for it: SHA-256 ${other}`;
  }
  const written = blocks.map(({ der }) => encodePem(label, der)).join("");
  return Buffer.compare(bytes, Buffer.from(written)) === 0 ? undefined : "is not as this installation writes it";
}
