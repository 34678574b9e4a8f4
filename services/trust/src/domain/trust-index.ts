import { sha256 } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import type { TrustFile } from "./trust-material.ts";
import type { TufRepository } from "./tuf/repository.ts";

/** What there is to fetch and how to check it, for a person or a script that knows only the URL. */
export function trustIndex(url: string, files: readonly TrustFile[], repository: TufRepository) {
  const mirror = `${url}/tuf`;
  const root = `${mirror}/root.json`;
  const firstRoot = repository.file("root.json");
  const checksum = encodeHex(sha256(firstRoot?.bytes ?? new Uint8Array()));
  return {
    tuf: {
      mirror,
      root,
      rootSha256: checksum,
      cosign: `cosign initialize --mirror ${mirror} --root ${root} --root-checksum ${checksum}`,
      roles: repository.status().map(({ role, version, expires }) => ({
        role,
        version,
        expires: new Date(expires).toISOString(),
      })),
    },
    files: files.map(({ name, bytes }) => ({
      name,
      url: `${url}/trust/${name}`,
      size: bytes.length,
      sha256: encodeHex(sha256(bytes)),
    })),
  };
}
