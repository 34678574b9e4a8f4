import type { JsonObject, JsonValue } from "@chancery/encoding";
import { Fault } from "@chancery/fault";
import { IssuerPool } from "../src/domain/issuer-pool.ts";
import type { Principal } from "../src/domain/principal.ts";
import { parseFulcioConfig } from "../src/index.ts";

/** What a test writes down: a claim of `undefined` is not there. */
export type Claims = Readonly<Record<string, JsonValue | undefined>>;

export const ISSUER = "https://issuer.example.com";

/** What becomes of a verified token under an issuer of these settings. */
export function principal(settings: string, claims: Claims, subject = "subject"): Principal {
  return principalUnder(`oidc-issuers: { "${ISSUER}": { client-id: sigstore, ${settings} } }`, claims, subject);
}

export function principalUnder(config: string, claims: Claims, subject: string): Principal {
  const issuer = new IssuerPool(parseFulcioConfig(config).issuers).match(ISSUER);
  const written: Claims = { sub: subject, ...claims };
  const all = Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined)) as JsonObject;
  return issuer.toPrincipal({ issuer: ISSUER, subject, all });
}

/** The message of the fault that the work throws. */
export function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof Fault ? error.message : `not a fault: ${String(error)}`;
  }
  return "accepted";
}
