import { Misconfigured } from "@chancery/fault";
import { type Service, type ServiceConfiguration, ServiceSelector, SigningConfig } from "@sigstore/protobuf-specs";
import { serviceUrl } from "./service-url.ts";
import { timeRange, type Validity } from "./validity.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/** sigstore-js knows ANY only; without a selector sigstore-go fails, and sigstore-js silently leaves the service out. */
const ANY: ServiceConfiguration = { selector: ServiceSelector.ANY, count: 0 };

export interface SigningService {
  readonly url: string;
  readonly validFor: Validity;
}

/**
 * Where signers turn to. One service of each kind and API version: clients disagree on how to choose among
 * several (newest start, last listed, at random), and sigstore-js uses one whose start is still to come.
 */
export interface SigningServices {
  /** Who runs them, as a URI without its scheme: "sigstore.example.com". */
  readonly operator: string;
  /** Base URL; clients add /api/v2/signingCert. */
  readonly certificateAuthority: SigningService;
  /** The issuer where a signer without a token logs in. */
  readonly identityProvider?: SigningService;
  /** Base URLs, and the API that clients are to speak to each. A client takes the newest API that it knows. */
  readonly transparencyLogs: readonly (SigningService & { readonly majorApiVersion: 1 | 2 })[];
  /** The full URL: "https://…/api/v1/timestamp". */
  readonly timestampAuthority?: SigningService;
}

/** The signing config of an installation; sigstore_trustroot.proto, SigningConfig. */
export function signingConfig(services: SigningServices): SigningConfig {
  const { operator, timestampAuthority } = services;
  if (!/^[a-z0-9.[\]:/_-]+$/i.test(operator) || operator.includes("://")) {
    throw new Misconfigured("operator", `"${operator}" is not a URI without its scheme`);
  }
  const service = (kind: string, majorApiVersion: number, given: SigningService | undefined): Service[] =>
    given === undefined
      ? []
      : [{ url: serviceUrl(given.url, kind), majorApiVersion, validFor: timeRange(given.validFor, kind), operator }];
  const tsaUrls = service("timestampAuthority", 1, timestampAuthority);
  if (tsaUrls.some(({ url }) => new URL(url).pathname === "/")) {
    throw new Misconfigured("timestampAuthority", "the URL has no path; clients post to it as it stands");
  }
  return {
    mediaType: MEDIA_TYPE,
    // 1 although clients then call /api/v2: they know no other number.
    caUrls: service("certificateAuthority", 1, services.certificateAuthority),
    oidcUrls: service("identityProvider", 1, services.identityProvider),
    // sigstore-js looks at starts only, and of equal ones takes the first.
    rekorTlogUrls: services.transparencyLogs
      .toSorted((one, other) => other.majorApiVersion - one.majorApiVersion)
      .flatMap((log) => service("transparencyLogs", log.majorApiVersion, log)),
    rekorTlogConfig: ANY,
    tsaUrls,
    tsaConfig: timestampAuthority === undefined ? undefined : ANY,
  };
}

export function encodeSigningConfig(config: SigningConfig): string {
  return `${JSON.stringify(SigningConfig.toJSON(config), null, 2)}\n`;
}
