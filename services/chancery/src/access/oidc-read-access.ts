import { sha256 } from "@chancery/crypto";
import { encodeHex, utf8 } from "@chancery/encoding";
import { Unauthenticated } from "@chancery/fault";
import {
  acceptToken,
  bearerToken,
  type ClaimRule,
  claimMatches,
  type TokenKeys,
  type UnverifiedToken,
} from "@chancery/identity";
import type { ReadAccess, Reader, ReadRole } from "@chancery/service";
import { z } from "zod";
import { Cookie } from "./cookie.ts";
import { SignedValue } from "./signed-value.ts";

export const LOGIN_PATH = "/auth/login";

export interface OidcReadAccessOptions {
  readonly issuer: string;
  /** Of the tokens that machines send. */
  readonly audience: string;
  /** Of the ID tokens that a login gives. */
  readonly clientId: string;
  readonly keys: TokenKeys;
  /** All of a role's rules MUST match; an auditor is a reader too. */
  readonly roles: Readonly<Record<ReadRole, readonly ClaimRule[] | undefined>>;
  readonly guardsLogs: boolean;
  /** Whether people sign in here; if not, no session counts. */
  readonly login: boolean;
  /** Milliseconds. */
  readonly sessionLife: number;
  readonly isSecure: boolean;
  readonly secret: Uint8Array;
  readonly clock?: (() => number) | undefined;
}

const reader = z.strictObject({ name: z.string(), roles: z.array(z.enum(["reader", "auditor"])).readonly() });

/** Readers of one issuer: machines by its tokens, people by a session that a login began. */
export class OidcReadAccess implements ReadAccess {
  readonly guardsLogs: boolean;
  readonly wanted: string;
  readonly #token: string;
  readonly #options: OidcReadAccessOptions;
  readonly #cookie: Cookie;
  readonly #sessions: SignedValue<Reader>;
  readonly #clock: () => number;

  constructor(options: OidcReadAccessOptions) {
    this.#options = options;
    this.guardsLogs = options.guardsLogs;
    this.#token = `send a bearer token of ${options.issuer} for the audience ${options.audience}`;
    this.wanted = options.login ? `sign in, or ${this.#token}` : this.#token;
    this.#cookie = new Cookie("chancery_session", options.isSecure);
    // A session says which roles it has: of other rules it is none.
    const purpose = `session ${options.issuer} ${options.clientId} ${rolesDigest(options.roles)}`;
    this.#sessions = new SignedValue(options.secret, purpose, reader);
    this.#clock = options.clock ?? Date.now;
  }

  async readerOf(shown: {
    authorization?: string | undefined;
    cookie?: string | undefined;
  }): Promise<Reader | undefined> {
    if (shown.authorization === undefined) {
      if (!this.#options.login) return undefined;
      return this.#sessions.decode(this.#cookie.read(shown.cookie), this.#clock());
    }
    const compact = bearerToken(shown.authorization);
    if (compact === undefined) throw new Unauthenticated(`Authorization: is not a bearer token: ${this.#token}`);
    try {
      return await this.#accept(compact, this.#options.audience);
    } catch (cause) {
      if (cause instanceof Unauthenticated) throw new Unauthenticated(`${cause.message}: ${this.#token}`, { cause });
      throw cause;
    }
  }

  loginUrl(path: string): string | undefined {
    if (!this.#options.login) return undefined;
    return `${LOGIN_PATH}?return=${encodeURIComponent(path)}`;
  }

  /** The session of whoever an ID token of a login is about, for `Set-Cookie`. */
  async begin(idToken: string): Promise<string> {
    const { sessionLife, clientId } = this.#options;
    const who = await this.#accept(idToken, clientId);
    return this.#cookie.write(this.#sessions.encode(who, this.#clock() + sessionLife), Math.floor(sessionLife / 1000));
  }

  end(): string {
    return this.#cookie.clear();
  }

  async #accept(compact: string, audience: string): Promise<Reader> {
    const { issuer, keys } = this.#options;
    const token = await acceptToken(compact, [{ issuer, audience, keys, claims: [] }], this.#clock());
    return { name: nameOf(token), roles: this.#rolesOf(token) };
  }

  #rolesOf(token: UnverifiedToken): readonly ReadRole[] {
    const { reader: readers, auditor: auditors } = this.#options.roles;
    const has = (rules: readonly ClaimRule[] | undefined) => rules?.every((rule) => claimMatches(token, rule)) === true;
    if (has(auditors)) return ["reader", "auditor"];
    return has(readers) ? ["reader"] : [];
  }
}

function rolesDigest(roles: OidcReadAccessOptions["roles"]): string {
  // A glob's stars are symbols, which JSON would make null.
  const text = JSON.stringify([roles.reader, roles.auditor], (_key, value: unknown) =>
    typeof value === "symbol" ? { star: value.description } : value,
  );
  return encodeHex(sha256(utf8(text)));
}

/** For people to see; nothing is decided by it. */
function nameOf({ claims, subject }: UnverifiedToken): string {
  const named = ["name", "preferred_username", "email"].map((claim) => claims[claim]);
  const found = named.find((value) => typeof value === "string" && value !== "");
  return (typeof found === "string" ? found : subject).slice(0, 256);
}
