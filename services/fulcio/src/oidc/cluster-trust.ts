import { readFile } from "node:fs/promises";
import { isOwnCluster } from "../domain/discovery.ts";
import type { ConcreteIssuer } from "../domain/issuer-settings.ts";
import { isConfiguredOrigin } from "./address-guard.ts";

/** Files that Kubernetes or the chart puts into the pod. */
export interface ClusterFiles {
  readonly authorities: readonly string[];
  readonly token: string;
}

export const STANDARD_CLUSTER_FILES: ClusterFiles = {
  authorities: ["/var/run/fulcio/ca.crt", "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"],
  token: "/var/run/secrets/kubernetes.io/serviceaccount/token",
};

export interface ClusterTrust {
  readonly caCertificates?: string;
  readonly headers?: { readonly Authorization: string };
}

/**
 * Discovery at the cluster we run in: its CA, and our service account's token, which only the API server
 * itself is shown (upstream showed it to every Kubernetes issuer that was configured). Read anew each
 * time, because the token is rotated.
 */
export async function clusterTrust(url: URL, issuer: ConcreteIssuer, files: ClusterFiles): Promise<ClusterTrust> {
  if (!isOwnCluster(issuer)) return {};
  const [token, ...authorities] = await Promise.all([files.token, ...files.authorities].map(contents));
  const caCertificates = authorities.filter((pem) => pem !== undefined).join("\n");
  return {
    ...(caCertificates === "" ? {} : { caCertificates }),
    ...(token === undefined || !isConfiguredOrigin(url, issuer)
      ? {}
      : { headers: { Authorization: `Bearer ${token.trim()}` } }),
  };
}

async function contents(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch {
    return undefined;
  }
}
