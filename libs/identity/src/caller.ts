/** What a request shows of whoever sent it. */
export interface Caller {
  /** Of `Authorization: Bearer`; nothing about it is verified. */
  readonly token?: string | undefined;
  /** DER of the certificate that TLS verified, with its purpose and its dates, below an authority that it was told of. */
  readonly certificate?: Uint8Array | undefined;
  /** Why TLS verified none, of a caller who showed one; gRPC does not tell. */
  readonly certificateRefusal?: string | undefined;
}

const BEARER = /^Bearer +([^\s,]+) *$/i;

/** RFC 6750, Section 2.1. Another scheme is no token; neither is more than one. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
}
