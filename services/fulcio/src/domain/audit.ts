/** What is kept of each request, whether it got a certificate or not. Never the token, nor a claim that was not verified. */
export type IssuanceEvent = IssuedEvent | RefusedEvent;

export interface IssuedEvent {
  readonly outcome: "issued";
  /** `iss` of the token. */
  readonly issuer: string;
  /** `sub` of the token. */
  readonly subject: string;
  /** The name in the certificate. */
  readonly name: string;
  /** Hexadecimal. */
  readonly serial: string;
}

export interface RefusedEvent {
  readonly outcome: "refused";
  readonly reason: string;
  /** Known only from a verified token. */
  readonly issuer?: string;
  readonly subject?: string;
}

/**
 * Where the events go. An `issued` event is written before the certificate leaves: if this rejects,
 * the request fails and no certificate leaves. Rejections of `refused` events change nothing.
 */
export type Audit = (event: IssuanceEvent) => void | Promise<void>;
