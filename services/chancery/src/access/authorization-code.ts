import { Unauthenticated, Unavailable } from "@chancery/fault";
import * as oauth from "oauth4webapi";
import { boundedFetch, type Outgoing } from "./bounded-fetch.ts";

/** What a browser brings back to prove that it is the one that was sent. */
export interface Attempt {
  readonly state: string;
  readonly nonce: string;
  /** RFC 7636: who intercepts the code has no use for it. */
  readonly verifier: string;
}

export interface AuthorizationCodeOptions {
  readonly issuer: string;
  readonly clientId: string;
  /** None for a public client. */
  readonly clientSecret: string | undefined;
  readonly redirectUri: string;
  readonly scope: string;
  /** PEM trusted for the issuer's TLS, besides the usual. */
  readonly ca: string | undefined;
  /** Milliseconds; monotonic. */
  readonly clock?: (() => number) | undefined;
}

/** Milliseconds for which the issuer's endpoints are believed to stay. */
const REDISCOVER_AFTER = 10 * 60_000;
/** Milliseconds for which an issuer that did not answer is left alone: anyone may ask to sign in. */
const ASK_AGAIN_AFTER = 5_000;

/**
 * The authorization code flow of OpenID Connect Core, Section 3.1, with PKCE, as oauth4webapi has it. The ID token that
 * comes out was given to us by the issuer's own endpoint, for this attempt; its signature is the caller's to verify.
 */
export class AuthorizationCodeFlow {
  readonly #options: AuthorizationCodeOptions;
  readonly #client: oauth.Client;
  readonly #request: {
    readonly [oauth.customFetch]: (url: string, options: Outgoing) => Promise<Response>;
    readonly [oauth.allowInsecureRequests]: boolean;
  };
  readonly #clock: () => number;
  #server: { readonly found: Promise<oauth.AuthorizationServer>; until: number } | undefined;

  constructor(options: AuthorizationCodeOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#client = { client_id: options.clientId };
    this.#request = {
      [oauth.customFetch]: boundedFetch(options.ca),
      // The settings let plain HTTP through for loopback alone.
      [oauth.allowInsecureRequests]: new URL(options.issuer).protocol === "http:",
    };
  }

  /** A new attempt, and where to send the browser. */
  async begin(): Promise<{ readonly attempt: Attempt; readonly url: string }> {
    const { authorization_endpoint: endpoint } = await this.#discover();
    if (endpoint === undefined) throw new Unavailable("the identity provider has no authorization endpoint", 60);
    const attempt = {
      state: oauth.generateRandomState(),
      nonce: oauth.generateRandomNonce(),
      verifier: oauth.generateRandomCodeVerifier(),
    };
    const url = new URL(endpoint);
    const parameters = {
      client_id: this.#options.clientId,
      response_type: "code",
      scope: this.#options.scope,
      redirect_uri: this.#options.redirectUri,
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(attempt.verifier),
      code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return { attempt, url: url.href };
  }

  /** The ID token for what came back. Unauthenticated if it is not the answer to the attempt, or says no. */
  async finish({ state, nonce, verifier }: Attempt, returned: URL): Promise<string> {
    const server = await this.#discover();
    try {
      const parameters = oauth.validateAuthResponse(server, this.#client, returned, state);
      const answer = await oauth.authorizationCodeGrantRequest(
        server,
        this.#client,
        this.#authentication(server),
        parameters,
        this.#options.redirectUri,
        verifier,
        this.#request,
      );
      const result = await oauth.processAuthorizationCodeResponse(server, this.#client, answer, {
        expectedNonce: nonce,
        requireIdToken: true,
      });
      if (result.id_token === undefined) throw new Unauthenticated("the identity provider gave no ID token");
      return result.id_token;
    } catch (cause) {
      if (cause instanceof Unavailable || cause instanceof Unauthenticated) throw cause;
      throw new Unauthenticated("the identity provider did not confirm this sign-in", { cause });
    }
  }

  /** OpenID Connect Discovery, Section 3: "If omitted, the default is client_secret_basic". */
  #authentication({ token_endpoint_auth_methods_supported: methods }: oauth.AuthorizationServer): oauth.ClientAuth {
    const { clientSecret } = this.#options;
    if (clientSecret === undefined) return oauth.None();
    const takesBasic = methods === undefined || methods.includes("client_secret_basic");
    return takesBasic ? oauth.ClientSecretBasic(clientSecret) : oauth.ClientSecretPost(clientSecret);
  }

  async #discover(): Promise<oauth.AuthorizationServer> {
    const now = this.#clock();
    if (this.#server === undefined || now > this.#server.until) {
      const found = this.#ask();
      const server = { found, until: now + REDISCOVER_AFTER };
      this.#server = server;
      found.catch(() => (server.until = this.#clock() + ASK_AGAIN_AFTER));
    }
    return this.#server.found;
  }

  async #ask(): Promise<oauth.AuthorizationServer> {
    const issuer = new URL(this.#options.issuer);
    try {
      const answer = await oauth.discoveryRequest(issuer, { ...this.#request, algorithm: "oidc" });
      return await oauth.processDiscoveryResponse(issuer, answer);
    } catch (cause) {
      throw new Unavailable("the identity provider cannot be asked where to sign in", 10, { cause });
    }
  }
}
