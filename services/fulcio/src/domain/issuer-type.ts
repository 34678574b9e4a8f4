import type { VerifiedClaims } from "./claims.ts";
import type { IssuerSettings } from "./issuer-settings.ts";
import type { Principal } from "./principal.ts";

/** Turns a verified token into the principal its certificate names; throws a fault if the claims do not do. */
export type ToPrincipal = (claims: VerifiedClaims) => Principal;

/** One kind of identity: what its configuration must say and what becomes of its claims. */
export interface IssuerType {
  /** As the configuration writes it. */
  readonly name: string;
  /** The claim whose value the client signs, as `/configuration` reports it. */
  readonly challengeClaim: "email" | "sub";
  /** Checks the settings once, at start; throws Misconfigured naming the key. */
  configure(settings: IssuerSettings): ToPrincipal;
}
