import type { PublicKey } from "@chancery/crypto";
import { decodeBase64, encodeBase64, utf8 } from "@chancery/encoding";
import { Malformed, Unsupported } from "@chancery/fault";
import { isEmail } from "./email.ts";
import { ecdsaPublicKey, ed25519PublicKey, rsaPublicKey } from "./raw-public-key.ts";
import type { Placed } from "./signature-format.ts";
import type { SigningKey } from "./signing-key.ts";
import { SshReader } from "./ssh-wire.ts";

export interface SshKey extends SigningKey {
  readonly publicKey: PublicKey;
  /** `ssh-ed25519` and so on: what the key blob begins with. */
  readonly type: string;
  /** The key in SSH's wire encoding. */
  readonly blob: Uint8Array;
  /** Of a key in a FIDO authenticator (OpenSSH's PROTOCOL.u2f). */
  readonly application: string | undefined;
}

const MAX_TEXT = 64 * 1024;
/** `type base64 [comment]`, sshd(8). Options before the type say where a key may log in: they have no place in a log. */
const LINE = /^([a-z0-9@.-]+)[ \t]+([A-Za-z0-9+/=]+)(?:[ \t]+(.*))?$/;

/** One line of an `authorized_keys` file; comment lines and empty ones around it are passed over. */
export function parseSshKey({ bytes, field }: Placed): SshKey {
  if (bytes.length > MAX_TEXT) throw new Malformed(`${field}: longer than ${MAX_TEXT} bytes`);
  const text = new TextDecoder().decode(bytes);
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const [line, ...more] = lines.filter((each) => each !== "" && !each.startsWith("#"));
  const [, type, encoded, comment = ""] = LINE.exec(line ?? "") ?? [];
  if (type === undefined || encoded === undefined || more.length > 0) {
    throw new Malformed(`${field}: not one SSH public key`);
  }
  const key = parseSshKeyBlob(decodeBase64(encoded, field), field);
  if (key.type !== type) throw new Malformed(`${field}: the key is not of the type that the line names`);
  return { ...key, subjects: isEmail(comment.trim()) ? [comment.trim()] : [] };
}

export function parseSshKeyBlob(blob: Uint8Array, field: string): SshKey {
  const reader = new SshReader(blob, field);
  const type = reader.text();
  const publicKey = readPublicKey(type, reader, field);
  const application = type.startsWith("sk-") ? reader.text() : undefined;
  reader.end();
  return { publicKey, type, blob, application, canonical: utf8(`${type} ${encodeBase64(blob)}\n`), subjects: [] };
}

function readPublicKey(type: string, reader: SshReader, field: string): PublicKey {
  switch (type) {
    case "ssh-ed25519":
    case "sk-ssh-ed25519@openssh.com":
      return ed25519PublicKey(reader.string(), field);
    case "ecdsa-sha2-nistp256":
    case "ecdsa-sha2-nistp384":
    case "ecdsa-sha2-nistp521":
    case "sk-ecdsa-sha2-nistp256@openssh.com": {
      const curve = reader.text();
      if (!type.includes(curve)) throw new Malformed(`${field}: the curve is not the one that the type names`);
      return ecdsaPublicKey(curve, reader.string(), field);
    }
    case "ssh-rsa": {
      const exponent = reader.magnitude();
      return rsaPublicKey(reader.magnitude(), exponent, field);
    }
    default:
      throw new Unsupported(`${field}: SSH keys of type ${JSON.stringify(type.slice(0, 64))} are not accepted`);
  }
}
