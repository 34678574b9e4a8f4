/** A cookie of one name, which no script reads and no other site's request but a visit carries. */
export class Cookie {
  readonly name: string;
  readonly #attributes: string;

  /**
   * `__Host-` (RFC 6265bis, Section 4.1.3.2) has the browser hold it to what follows: Secure, no Domain, the whole
   * origin. On loopback, where there is no TLS, browsers would drop such a one.
   */
  constructor(name: string, isSecure: boolean) {
    this.name = isSecure ? `__Host-${name}` : name;
    this.#attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}`;
  }

  /** Of the header `Cookie`; of two of the name the first. */
  read(header: string | undefined): string | undefined {
    for (const pair of header?.split(";") ?? []) {
      const at = pair.indexOf("=");
      if (pair.slice(0, at).trim() === this.name) return pair.slice(at + 1).trim();
    }
    return undefined;
  }

  /** A value for `Set-Cookie`. */
  write(value: string, seconds: number): string {
    return `${this.name}=${value}; Max-Age=${seconds}; ${this.#attributes}`;
  }

  clear(): string {
    return this.write("", 0);
  }
}
