import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** A token's header and payload: an object, or text that is encoded as it stands. */
export type Part = Readonly<Record<string, unknown>> | string;

export interface SigningKey {
  readonly kid: string;
  readonly algorithm: string;
  readonly privateKey: KeyObject;
  readonly jwk: Readonly<Record<string, unknown>>;
}

const KEY_TYPES: Readonly<Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }>> = {
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ES384: () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
  ES512: () => generateKeyPairSync("ec", { namedCurve: "P-521" }),
  EdDSA: () => generateKeyPairSync("ed25519"),
};

let keyCount = 0;

export function createSigningKey(algorithm = "ES256", kid = `key-${++keyCount}`): SigningKey {
  const { privateKey, publicKey } = KEY_TYPES[algorithm]!();
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, use: "sig" };
  return { kid, algorithm, privateKey, jwk };
}

/** A JWS made by hand, so that it can be wrong in any way. */
export function jws(header: Part, payload: Part, key: SigningKey, algorithm = key.algorithm): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${signature(input, key.privateKey, algorithm).toString("base64url")}`;
}

export function hmacJws(header: Part, payload: Part, secret: string | Uint8Array): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

export function encode(part: Part): string {
  return Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");
}

function signature(input: string, key: KeyObject, algorithm: string): Buffer {
  const bytes = Buffer.from(input);
  if (algorithm === "EdDSA") return sign(null, bytes, key);
  const hash = `sha${algorithm.slice(2)}`;
  if (algorithm.startsWith("ES")) return sign(hash, bytes, { key, dsaEncoding: "ieee-p1363" });
  if (algorithm.startsWith("PS")) {
    return sign(hash, bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
  }
  return sign(hash, bytes, key);
}

export const nowSeconds = () => Math.floor(Date.now() / 1000);

/** A real OIDC issuer on loopback, as far as a CA looks at one; it vouches for anything. */
export class FakeIssuer implements AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly requests: string[] = [];
  readonly headers: IncomingMessage["headers"][] = [];
  keys: SigningKey[];
  /** Answers that replace the right ones, by path. */
  readonly answers = new Map<string, (request: IncomingMessage, response: ServerResponse) => void>();
  readonly #close: () => Promise<void>;

  private constructor(url: string, key: SigningKey, close: () => Promise<void>) {
    this.url = url;
    this.keys = [key];
    this.#close = close;
  }

  static async start(options: { path?: string; algorithm?: string; tls?: { key: string; cert: string } } = {}) {
    const server = options.tls === undefined ? createServer() : createTlsServer(options.tls);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const origin = `http${options.tls === undefined ? "" : "s"}://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const issuer = new FakeIssuer(`${origin}${options.path ?? ""}`, createSigningKey(options.algorithm), async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    server.on("request", (request, response) => issuer.#answer(options.path ?? "", request, response));
    return issuer;
  }

  #answer(path: string, request: IncomingMessage, response: ServerResponse): void {
    const asked = request.url ?? "";
    this.requests.push(asked);
    this.headers.push(request.headers);
    const replaced = this.answers.get(asked);
    if (replaced !== undefined) return replaced(request, response);
    const documents: Readonly<Record<string, unknown>> = {
      [`${path}/.well-known/openid-configuration`]: { issuer: this.url, jwks_uri: `${this.url}/keys` },
      [`${path}/keys`]: { keys: this.keys.map(({ jwk }) => jwk) },
    };
    const document = documents[asked];
    response.writeHead(document === undefined ? 404 : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(document ?? {}));
  }

  /** How often a document was asked for. */
  count(end: string): number {
    return this.requests.filter((path) => path.endsWith(end)).length;
  }

  claims(claims: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    const now = nowSeconds();
    return {
      iss: this.url,
      aud: "sigstore",
      sub: "subject-of-dev",
      email: "dev@example.com",
      email_verified: true,
      iat: now,
      nbf: now,
      exp: now + 600,
      ...claims,
    };
  }

  /** A good token, but for what the claims and the header say. A claim of `undefined` is left out. */
  token(claims: Readonly<Record<string, unknown>> = {}, header: Readonly<Record<string, unknown>> = {}): string {
    const [key] = this.keys;
    return jws({ alg: key!.algorithm, kid: key!.kid, typ: "JWT", ...header }, this.claims(claims), key!);
  }

  async [Symbol.asyncDispose]() {
    await this.#close();
  }
}
