import { readFile } from "node:fs/promises";
import { sha256 } from "@chancery/crypto";
import { counted, encodeHex, parsePem } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import type { TokenKeys } from "@chancery/identity";
import type { AdmissionRules, ClientCertificateRule } from "@chancery/rekor";
import { type Certificate, parseCertificate, parseCertificatesPem } from "@chancery/x509";
import type { AdmissionSection } from "./admission-section.ts";
import type { ConfigFile } from "./config-file.ts";
import { globs, type TokenRuleSettings, tokenRuleSettings, withKeys } from "./token-rules.ts";

/** Who may write to a log, but for what only the running CA can tell. */
export interface AdmissionSettings {
  readonly callers?: {
    readonly tokens: readonly TokenRuleSettings[];
    readonly certificates: readonly ClientCertificateRule[];
  };
  readonly signers?: { readonly ownCa: boolean; readonly keys: ReadonlySet<string> };
  /** PEM of the authorities below which clients may show certificates. */
  readonly clientAuthorities: string;
}

export async function admissionSettings(
  section: AdmissionSection,
  key: string,
  file: ConfigFile,
  url: string,
): Promise<AdmissionSettings> {
  const { callers, signers } = section;
  if (callers === undefined && signers === undefined) {
    throw new Misconfigured(key, "names neither signers nor callers; leave it out and anyone may write");
  }
  const authorities: string[] = [];
  const certificates = (callers?.certificates ?? []).map(async ({ "ca-cert": path, names }, place) => {
    const at = `${key}.callers.certificates.${place}`;
    const pem = await text(file.resolve(path), `${at}.ca-cert`);
    authorities.push(pem);
    const named = names === undefined ? undefined : globs(names, `${at}.names`);
    return { authorities: certificatesOf(pem, `${at}.ca-cert`), names: named };
  });
  const tokens = (callers?.tokens ?? []).map((one, place) =>
    tokenRuleSettings(one, `${key}.callers.tokens.${place}`, file, url),
  );
  if (callers !== undefined && tokens.length === 0 && certificates.length === 0) {
    throw new Misconfigured(`${key}.callers`, "has neither tokens nor certificates: nobody could write");
  }
  return {
    ...(callers && { callers: { tokens: await Promise.all(tokens), certificates: await Promise.all(certificates) } }),
    ...(signers && { signers: await signerSettings(signers, `${key}.signers`, file) }),
    clientAuthorities: authorities.join("\n"),
  };
}

/** The rules as the log takes them. `authorities` are the issuing certificates of the CA, of all its generations. */
export function admissionRules(
  { callers, signers }: AdmissionSettings,
  authorities: readonly Certificate[],
  keysOfTheCa: TokenKeys,
): AdmissionRules {
  return {
    ...(callers && {
      callers: { ...callers, tokens: callers.tokens.map((rule) => withKeys(rule, keysOfTheCa)) },
    }),
    ...(signers && { signers: { authorities: signers.ownCa ? authorities : [], keys: signers.keys } }),
  };
}

/** For people, in half a line. */
export function describeAdmission({ signers, callers }: AdmissionSettings): string {
  const listed = [
    signers?.ownCa === true ? "certificates of this CA" : "",
    signers === undefined || signers.keys.size === 0 ? "" : counted(signers.keys.size, "listed key"),
  ].filter((part) => part !== "");
  const sent = [
    ...(callers?.tokens ?? []).map(({ issuer }) => `a token of ${issuer}`),
    ...(callers === undefined || callers.certificates.length === 0 ? [] : ["a client certificate"]),
  ];
  return [
    ...(signers === undefined ? [] : [`signed by ${listed.join(" or ")}`]),
    ...(callers === undefined ? [] : [`sent with ${sent.join(" or ")}`]),
  ].join(", ");
}

async function signerSettings(
  { "own-ca": ownCa = false, keys = [] }: NonNullable<AdmissionSection["signers"]>,
  key: string,
  file: ConfigFile,
): Promise<NonNullable<AdmissionSettings["signers"]>> {
  if (!ownCa && keys.length === 0)
    throw new Misconfigured(key, "has neither own-ca nor keys: nothing could be written");
  const prints = await Promise.all(keys.map((one, place) => fingerprints(one, `${key}.keys.${place}`, file)));
  return { ownCa, keys: new Set(prints.flat()) };
}

const FINGERPRINT = /^(sha256:)?[0-9a-f]{64}$/i;

/** Of a fingerprint itself, of PEM, or of a file of PEM. */
async function fingerprints(written: string, key: string, file: ConfigFile): Promise<readonly string[]> {
  if (FINGERPRINT.test(written)) return [written.toLowerCase().replace("sha256:", "")];
  const pem = written.includes("-----BEGIN ") ? written : await text(file.resolve(written), key);
  try {
    const blocks = parsePem(pem, "keys", { labels: ["PUBLIC KEY", "CERTIFICATE"] });
    if (blocks.length === 0) throw new Misconfigured(key, "is neither PEM nor a SHA-256 fingerprint");
    // A certificate, and its key when that comes bare.
    return blocks
      .flatMap(({ label, der }) => (label === "PUBLIC KEY" ? [der] : [der, parseCertificate(der, "keys").spki]))
      .map((bytes) => encodeHex(sha256(bytes)));
  } catch (cause) {
    if (cause instanceof Misconfigured) throw cause;
    throw new Misconfigured(key, "is not PEM of public keys or certificates", { cause });
  }
}

function certificatesOf(pem: string, key: string): Certificate[] {
  try {
    const certificates = parseCertificatesPem(pem, "ca-cert", { max: 100 });
    if (certificates.length > 0) return certificates;
  } catch (cause) {
    throw new Misconfigured(key, "is not PEM of certificates", { cause });
  }
  throw new Misconfigured(key, "holds no certificate");
}

async function text(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new Misconfigured(key, `${path} cannot be read`, { cause });
  }
}
