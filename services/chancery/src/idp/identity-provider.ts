import { randomBytes } from "node:crypto";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { Configuration, KoaContextWithOIDC, Provider } from "oidc-provider";
import { html, page } from "../page.ts";
import { Sessions } from "./sessions.ts";

/** What cosign and every other Sigstore client calls itself. */
export const CLIENT_ID = "sigstore";
export const TOKEN_SECONDS = 600;
/** cosign 3 takes `--identity-token` for a file's name unless the token is of this one algorithm. */
const ALGORITHM = "RS256";

export interface IdentityProvider {
  readonly issuer: string;
  readonly provider: Provider;
  /** A ten-minute ID token under the provider's own key. Anyone who may call this can be anyone. */
  token(email: string): Promise<string>;
}

/**
 * The development identity provider: a real OIDC issuer that believes whatever e-mail address it is told.
 *
 * Its key lives in memory only: a token does not outlive the process, and no file can leak it.
 */
export async function createIdentityProvider(issuer: string): Promise<IdentityProvider> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const kid = randomBytes(8).toString("hex");
  const jwk = { ...(await exportJWK(privateKey)), kid, alg: ALGORITHM, use: "sig" };
  const library = await importLibrary();
  const provider = new library.Provider(issuer, {
    ...configuration(jwk),
    interactions: {
      url: (_ctx, interaction) => `${new URL(issuer).pathname}/login/${interaction.uid}`,
      policy: alwaysAsk(library),
    },
  });
  // Koa's own default prints to stderr; the guard in front answers what a client may know.
  provider.silent = true;
  return {
    issuer,
    provider,
    token: (email) =>
      new SignJWT(claimsOf(email))
        .setProtectedHeader({ alg: ALGORITHM, kid, typ: "JWT" })
        .setIssuer(issuer)
        .setAudience(CLIENT_ID)
        .setIssuedAt()
        .setExpirationTime(`${TOKEN_SECONDS} s`)
        .sign(privateKey),
  };
}

type Library = typeof import("oidc-provider");

/**
 * The library prints a warning under every Node whose release has no LTS name, as the pinned build from
 * npm has none; it would be the first thing a newcomer reads.
 */
/* eslint-disable no-console -- the console is what it talks to */
async function importLibrary(): Promise<Library> {
  const warn = console.warn;
  console.warn = () => {};
  try {
    return await import("oidc-provider");
  } finally {
    console.warn = warn;
  }
}
/* eslint-enable no-console */

/** Every sign-in shows the page, for the next one may be somebody else; nothing is shared, so no consent is asked. */
function alwaysAsk({ interactionPolicy }: Library) {
  const policy = interactionPolicy.base();
  policy.remove("consent");
  const ask = new interactionPolicy.Check("development", "each sign-in is asked for", (ctx) =>
    ctx.oidc.result?.login === undefined
      ? interactionPolicy.Check.REQUEST_PROMPT
      : interactionPolicy.Check.NO_NEED_TO_PROMPT,
  );
  policy.get("login")?.checks.add(ask);
  return policy;
}

function claimsOf(email: string) {
  return { sub: email, email, email_verified: true };
}

function configuration(jwk: object): Configuration {
  const sessions = new Sessions();
  return {
    adapter: (model: string) => sessions.adapter(model),
    jwks: { keys: [jwk] },
    clients: [
      {
        client_id: CLIENT_ID,
        client_name: "Sigstore client",
        // A native app has no secret and listens on a port of its own choosing (RFC 8252, Sections 7.3 and 8.4).
        application_type: "native",
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code"],
        response_types: ["code"],
        redirect_uris: ["localhost", "127.0.0.1", "[::1]"].flatMap((host) => [
          `http://${host}/auth/callback`,
          `http://${host}/callback`,
          `http://${host}/`,
        ]),
        id_token_signed_response_alg: ALGORITHM,
      },
    ],
    scopes: ["openid", "email", "profile"],
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    // Sigstore reads the e-mail address out of the ID token and never asks the userinfo endpoint.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    ttl: {
      IdToken: TOKEN_SECONDS,
      AccessToken: TOKEN_SECONDS,
      AuthorizationCode: 60,
      Interaction: 600,
      Session: 600,
      Grant: 600,
    },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: false } },
    cookies: {
      keys: [randomBytes(32).toString("hex")],
      names: { session: "chancery_idp", interaction: "chancery_idp_login", resume: "chancery_idp_resume" },
    },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: async () => claimsOf(sub) }),
    loadExistingGrant: consentForOwner,
    renderError: (ctx, out) => {
      const shown = page("Sign-in failed", html`<p>${out.error}: ${out.error_description ?? ""}</p>`);
      for (const [name, value] of Object.entries(shown.headers)) ctx.set(name, value);
      ctx.body = shown.body;
    },
  };
}

/** The person at the page is the one who signs: nothing is shared with a third party, so nothing is asked. */
async function consentForOwner(ctx: KoaContextWithOIDC) {
  const { client, session, provider } = ctx.oidc;
  if (client === undefined || session?.accountId === undefined) return undefined;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope("openid email profile");
  await grant.save();
  return grant;
}
