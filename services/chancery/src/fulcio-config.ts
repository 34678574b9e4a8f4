import { type FulcioConfig, parseFulcioConfig } from "@chancery/fulcio";
import { CLIENT_ID } from "./idp/identity-provider.ts";
import { developmentIssuer } from "./idp/development-issuer.ts";
import { isLoopbackHost } from "./loopback.ts";
import type { Settings } from "./settings.ts";

/** In development mode the one issuer is our own identity provider, by the same path as any other. */
export function fulcioConfig({ issuers, url, host, fulcio }: Settings): FulcioConfig {
  // On loopback alone nobody but this machine is misled by an issuer without TLS.
  const allowLoopbackHttp = isLoopbackHost(host);
  const { ctLog: _, ...own } = fulcio;
  const rest = { allowLoopbackHttp, ...own };
  if (issuers !== undefined) return { issuers, ...rest };
  const issuer = developmentIssuer(url);
  const development = { "issuer-url": issuer, "client-id": CLIENT_ID, type: "email" };
  return { ...parseFulcioConfig(JSON.stringify({ "oidc-issuers": { [issuer]: development } })), ...rest };
}
