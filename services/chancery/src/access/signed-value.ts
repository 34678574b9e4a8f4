import { createHmac, timingSafeEqual } from "node:crypto";
import { z, type ZodType } from "zod";

/**
 * What a browser keeps for us and may read and not change: JSON, its end, and an HMAC-SHA256 over both. So nothing is
 * kept here: any process with the same key knows its sessions, after a restart too.
 */
export class SignedValue<T> {
  readonly #key: Uint8Array;
  readonly #purpose: string;
  readonly #schema: ZodType<{ readonly until: number; readonly value: T }>;

  /** `purpose` is signed too: what was made for another, or under another configuration, is nothing here. */
  constructor(key: Uint8Array, purpose: string, schema: ZodType<T>) {
    this.#key = key;
    this.#purpose = purpose;
    this.#schema = z.strictObject({ until: z.number(), value: schema }) as ZodType<{ until: number; value: T }>;
  }

  /** `until` in milliseconds. */
  encode(value: T, until: number): string {
    const text = Buffer.from(JSON.stringify({ until, value })).toString("base64url");
    return `${text}.${this.#sign(text).toString("base64url")}`;
  }

  /** Undefined for what is not ours, or over. */
  decode(encoded: string | undefined, now: number): T | undefined {
    const [text = "", signature = ""] = encoded?.split(".", 2) ?? [];
    const [given, own] = [Buffer.from(signature, "base64url"), this.#sign(text)];
    if (given.length !== own.length || !timingSafeEqual(given, own)) return undefined;
    const parsed = this.#schema.safeParse(JSON.parse(Buffer.from(text, "base64url").toString()));
    return parsed.success && parsed.data.until > now ? parsed.data.value : undefined;
  }

  #sign(text: string): Buffer {
    return createHmac("sha256", this.#key).update(`${this.#purpose}\n${text}`).digest();
  }
}
