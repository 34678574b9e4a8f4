import { randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { writeDurably } from "./durable-file.ts";
import { alone } from "./installation-file.ts";

const BYTES = 32;

/** `keys/<name>` of an installation: random bytes in hexadecimal, made when they are first needed, for one HMAC. */
export async function secretIn(data: string, name: "session" | "export"): Promise<Uint8Array> {
  const path = join(data, "keys", name);
  return alone(data, async () => {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) await writeDurably(path, `${randomBytes(BYTES).toString("hex")}\n`);
    else if ((found.mode & 0o077) !== 0 && process.platform !== "win32") {
      throw new Misconfigured(path, "the file is open to other users; chmod 600 it");
    }
    const text = (await readFile(path, "utf8")).trim();
    if (!/^[0-9a-f]{64}$/.test(text)) throw new Misconfigured(path, `is not ${BYTES} bytes in hexadecimal`);
    return Buffer.from(text, "hex");
  });
}
