import { ClientTrustConfig, type SigningConfig, type TrustedRoot } from "@sigstore/protobuf-specs";

const MEDIA_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

/** Both halves in one file, as sigstore-python's `--trust-config` takes them. */
export function clientTrustConfig(trustedRoot: TrustedRoot, signingConfig: SigningConfig): ClientTrustConfig {
  return { mediaType: MEDIA_TYPE, trustedRoot, signingConfig };
}

export function encodeClientTrustConfig(config: ClientTrustConfig): string {
  return `${JSON.stringify(ClientTrustConfig.toJSON(config), null, 2)}\n`;
}
