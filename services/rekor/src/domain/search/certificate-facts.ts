import { encodeHex } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import {
  type Certificate,
  FULCIO_EXTENSIONS,
  type FulcioExtensionName,
  type FulcioExtensions,
  parseFulcioExtensions,
  parseSubjectAlternativeNames,
  type SubjectAlternativeName,
} from "@chancery/x509";

export interface CertificateFacts {
  readonly sans: readonly SubjectAlternativeName[];
  /** Who vouched for the identity: Fulcio's extension. */
  readonly issuer: string | undefined;
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** By their lowerCamel names, without the issuer. */
  readonly extensions: Readonly<Record<string, string>>;
}

/** The names under which extensions are shown and asked for: those of Fulcio's documentation, lowerCamel. */
export const EXTENSION_NAMES: ReadonlyMap<FulcioExtensionName, string> = new Map(
  FULCIO_EXTENSIONS.filter(({ name }) => name !== "issuer").map(({ name }) => [name, lowerCamel(name)]),
);

export function certificateFacts(
  certificate: Certificate,
  sans: readonly SubjectAlternativeName[] = parseSubjectAlternativeNames(certificate),
): CertificateFacts {
  const told = fulcioExtensions(certificate);
  const extensions: Record<string, string> = {};
  for (const [name, shown] of EXTENSION_NAMES) {
    const value = told[name];
    if (value !== undefined) extensions[shown] = value;
  }
  const { serial, notBefore, notAfter } = certificate;
  return { sans, issuer: told.issuer, serial: encodeHex(serial), notBefore, notAfter, extensions };
}

/** Anyone may log a certificate of his own making, with what he likes in them: such a one has none. */
function fulcioExtensions(certificate: Certificate): FulcioExtensions {
  try {
    return parseFulcioExtensions(certificate);
  } catch (error) {
    if (error instanceof Malformed) return {};
    throw error;
  }
}

/** `source-repository-uri` → `sourceRepositoryUri`; the documentation's `GithubWorkflowSHA` is written so too. */
function lowerCamel(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
