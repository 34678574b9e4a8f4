import { SigningConfig, type TrustedRoot } from "@sigstore/protobuf-specs";
import { trustedRootJson } from "./trusted-root.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

/** Both halves in one file, as sigstore-python's `--trust-config` takes them; sigstore_trustroot.proto, ClientTrustConfig. */
export function encodeClientTrustConfig(trustedRoot: TrustedRoot, signingConfig: SigningConfig): string {
  const config = {
    mediaType: MEDIA_TYPE,
    trustedRoot: trustedRootJson(trustedRoot),
    signingConfig: SigningConfig.toJSON(signingConfig),
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
