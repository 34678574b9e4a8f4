import type { PublicKey } from "@chancery/crypto";
import { encodeHex, encodePem, utf8 } from "@chancery/encoding";
import { sha256 } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import { canonicalize } from "@tufjs/canonical-json";
import { Key } from "@tufjs/models";

/**
 * A public key as TUF metadata names it; its ID is the SHA-256 of its canonical JSON (TUF 1.0.33, 4.2).
 *
 * P-256 as PEM under keytype "ecdsa" only: it is what Sigstore's public root uses, so each client that
 * can read that one (go-tuf v1 and v2, tuf-js, python-tuf) reads ours. The older spelling
 * "ecdsa-sha2-nistp256" means hexadecimal to some of them and PEM to others.
 */
export function tufKey(publicKey: PublicKey, field: string): Key {
  if (publicKey.algorithm !== "ecdsa-p256") {
    throw new Misconfigured(field, `is an ${publicKey.algorithm} key; TUF clients agree on ecdsa-p256 only`);
  }
  const [keyType, scheme] = ["ecdsa", "ecdsa-sha2-nistp256"];
  const keyVal = { public: encodePem("PUBLIC KEY", publicKey.spki) };
  const keyID = encodeHex(sha256(utf8(canonicalize({ keytype: keyType, scheme, keyval: keyVal }))));
  return new Key({ keyID, keyType, scheme, keyVal });
}
