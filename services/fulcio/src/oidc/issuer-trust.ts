import { readFile } from "node:fs/promises";
import { Unavailable } from "@chancery/fault";
import type { ConcreteIssuer } from "../domain/issuer-settings.ts";
import { isConfiguredOrigin } from "./address-guard.ts";
import { type ClusterFiles, clusterTrust } from "./cluster-trust.ts";

export interface IssuerTrust {
  /** PEM of the authorities that its TLS may chain to besides the system's. */
  readonly authorities: readonly string[];
  /** PEM of what we authenticate with. */
  readonly certificate?: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Whom we trust at an issuer and what we show it. The files are read for each request, at most once in ten seconds:
 * certificates and tokens are renewed while we run. Another host that a document names sees no certificate and no token.
 */
export async function issuerTrust(url: URL, issuer: ConcreteIssuer, files: ClusterFiles): Promise<IssuerTrust> {
  const { caCertificates, caFile, clientCertificate, tokenFile } = issuer.settings;
  const cluster = await clusterTrust(url, issuer, files);
  const mayKnowUs = isConfiguredOrigin(url, issuer) && url.protocol === "https:";
  const [ca, certificate, key, token] = await Promise.all([
    contents("ca-cert-file", caFile),
    contents("client-cert-file", mayKnowUs ? clientCertificate?.certificateFile : undefined),
    contents("client-key-file", mayKnowUs ? clientCertificate?.keyFile : undefined),
    contents("token-file", mayKnowUs ? tokenFile : undefined),
  ]);
  const headers = token === undefined ? cluster.headers : { Authorization: `Bearer ${token.trim()}` };
  return {
    authorities: [caCertificates, ca, cluster.caCertificates].filter((pem) => pem !== undefined),
    ...(certificate === undefined || key === undefined ? {} : { certificate, key }),
    ...(headers === undefined ? {} : { headers }),
  };
}

async function contents(key: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new Unavailable(`${key} of the issuer cannot be read`, 10, { cause });
  }
}
