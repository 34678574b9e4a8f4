import type { Preset } from "./preset.ts";

/** People and workloads: upstream has a type for each. */
export const IDENTITIES: readonly Preset[] = [
  {
    name: "kubernetes",
    description: "service accounts of a cluster",
    issuer: "https://kubernetes.default.svc",
    settings: { type: "kubernetes" },
  },
  {
    name: "spiffe",
    description: "workloads of a SPIFFE trust domain, as SPIRE issues JWT-SVIDs",
    issuer: "https://HOST",
    settings: { type: "spiffe" },
    needs: ["spiffe-trust-domain"],
  },
  {
    name: "keycloak",
    description: "people of a Keycloak realm, by verified address",
    issuer: "https://HOST/realms/REALM",
    settings: { type: "email" },
  },
  {
    name: "dex",
    description: "people of a Dex; issuer-claim: $.federated_claims.connector_id names who vouched",
    issuer: "https://HOST",
    settings: { type: "email" },
  },
  {
    name: "entra-id",
    description: "people of one Entra tenant, whose administrators vouch for the addresses",
    issuer: "https://login.microsoftonline.com/TENANT-ID/v2.0",
    // Its tokens have no email_verified; the issuer of one tenant can name only accounts of that tenant.
    settings: { type: "email", "skip-email-verification": "true" },
  },
  {
    name: "google",
    description: "people with a Google account, by verified address",
    issuer: "https://accounts.google.com",
    settings: { type: "email" },
  },
];
