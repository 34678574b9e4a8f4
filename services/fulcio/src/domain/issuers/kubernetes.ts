import type { JsonObject, JsonValue } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { plainText } from "../claims.ts";
import type { IssuerType } from "../issuer-type.ts";

/** Service accounts of a cluster. */
export const kubernetes: IssuerType = {
  name: "kubernetes",
  challengeClaim: "sub",

  configure() {
    return (claims) => {
      const account = member(claims.all, "kubernetes.io");
      const namespace = name(member(account, "namespace"), DNS_LABEL, "namespace");
      const serviceAccount = name(member(member(account, "serviceaccount"), "name"), DNS_SUBDOMAIN, "serviceaccount");
      const subject = plainText(claims.subject, "sub");
      return {
        name: subject,
        san: {
          type: "uri",
          value: `https://kubernetes.io/namespaces/${namespace}/serviceaccounts/${serviceAccount}`,
        },
        extensions: { issuer: claims.issuer, "token-subject": subject },
      };
    };
  },
};

// RFC 1123 as the Kubernetes API server validates namespaces and service account names; so neither can climb out of
// its place in the URI. Upstream writes whatever the token says, and an empty name when it says nothing.
const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

function member(value: JsonValue | undefined, key: string): JsonValue | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as JsonObject)[key] : undefined;
}

function name(value: JsonValue | undefined, grammar: RegExp, what: string): string {
  if (typeof value !== "string") throw new Malformed(`missing ${what} in the kubernetes.io claim`);
  if (!grammar.test(value)) throw new Malformed(`${what} in the kubernetes.io claim is not a Kubernetes name`);
  return value;
}
