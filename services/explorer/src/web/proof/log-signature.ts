import { utf8 } from "@chancery/encoding";
import { Unverified } from "@chancery/fault";
import { fingerprint, isNamedBy } from "./public-key.ts";
import { verifyMessage } from "./signature.ts";
import type { SignedCheckpoint } from "./signed-note.ts";
import type { Finding } from "./step.ts";
import type { TrustedKey } from "./trusted-keys.ts";

/** Under which key a checkpoint verified, for the steps that come after. */
export interface FoundKey {
  logKey: TrustedKey | undefined;
}

const SOURCES: Readonly<Record<TrustedKey["source"], string>> = {
  pasted: "a key that you put into this browser",
  pinned: "the key that this browser has kept since an earlier visit",
  server: "the key from this server's trusted root, so by its word",
};

export async function checkSignature(
  checkpoint: SignedCheckpoint | undefined,
  keys: readonly TrustedKey[],
  found: FoundKey,
): Promise<Finding> {
  if (checkpoint === undefined) throw new Unverified("there is no checkpoint that could be read");
  const trusted = await findSigner(checkpoint, keys);
  found.logKey = trusted;
  const { key, source, label } = trusted;
  const others = checkpoint.signatures.length - 1;
  const cosigned = others > 0 ? ` It has ${others} more signatures, which are not looked at.` : "";
  return {
    state: "passed",
    words: `It verifies under ${SOURCES[source]}.${cosigned}`,
    values: [
      ["Key", `${key.algorithm}, SHA-256 ${fingerprint(key).toHex()}`],
      ["Named", label],
    ],
  };
}

/**
 * The log's own line: its name is the origin, or for Rekor v1 the origin's host. "If a signature from a known key fails
 * to verify, clients SHOULD reject the whole note": every line in the key's name has to hold. c2sp.org/signed-note.
 */
async function findSigner(checkpoint: SignedCheckpoint, keys: readonly TrustedKey[]): Promise<TrustedKey> {
  if (keys.length === 0) throw new Unverified("no log key is known to this browser");
  const message = utf8(checkpoint.text);
  const ofLog = checkpoint.signatures.filter(
    ({ name }) => checkpoint.origin === name || checkpoint.origin.startsWith(`${name} - `),
  );
  for (const trusted of keys) {
    const lines = ofLog.filter(({ name, keyHash }) => isNamedBy(trusted.key, name, keyHash));
    const verdicts = await Promise.all(lines.map(({ signature }) => verifyMessage(trusted.key, message, signature)));
    if (verdicts.includes(false)) throw new Unverified("the signature on the checkpoint does not verify");
    if (verdicts.length > 0) return trusted;
  }
  throw new Unverified("none of the keys you trust has signed this checkpoint");
}
