import { Misconfigured } from "@chancery/fault";
import { Root, Snapshot, Targets, Timestamp } from "@tufjs/models";
import { expiryOf, isDue } from "./lifetime.ts";
import { contentHashes, metaFile, type RoleName, type SignedBy, signMetadata, type TufSigner } from "./metadata.ts";
import type { RepositoryState } from "./repository-state.ts";
import { describes, type Target, targetFiles } from "./target.ts";

/** Two keys, so that the one which lies on a server all day can move no trust: it says how fresh, never what. */
export interface TufSigners {
  /** Signs root and targets. Absent while the key is offline: then neither is renewed nor changed. */
  readonly root?: TufSigner;
  /** Signs snapshot and timestamp. */
  readonly online: TufSigner;
}

export interface Release {
  /** In the order in which they must be written: whatever names a file comes after it, the timestamp last. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What was signed anew. */
  readonly roles: readonly RoleName[];
}

type SignedOptions = Pick<Root, "specVersion" | "version" | "expires">;

const SPEC_VERSION = "1.0.31";

/**
 * Signs what is due at `now` or changed by `wanted`, and all that depends on it: new targets need a new
 * snapshot, a new snapshot a new timestamp. Every version is the one before plus one. Writes nothing.
 */
export async function prepareRelease(
  previous: RepositoryState | undefined,
  signers: TufSigners,
  now: number,
  wanted?: readonly Target[],
): Promise<Release> {
  const files = new Map<string, Uint8Array>();
  const roles: RoleName[] = [];
  const due = (role: RoleName) => previous === undefined || isDue(role, previous[role].metadata.signed, now);
  const common = (role: RoleName) => ({
    specVersion: SPEC_VERSION,
    version: (previous?.[role].metadata.signed.version ?? 0) + 1,
    expires: expiryOf(role, now),
  });
  const sign = async <R extends RoleName>(role: R, signed: SignedBy[R], signer: TufSigner) => {
    const file = await signMetadata<R>(signed, [signer]);
    files.set(role === "timestamp" ? "timestamp.json" : `${signed.version}.${role}.json`, file.bytes);
    roles.push(role);
    return file;
  };

  if (signers.root !== undefined && due("root")) {
    const root = await sign("root", rootOf(common("root"), signers.root, signers.online), signers.root);
    if (previous === undefined) files.set("root.json", root.bytes);
  }
  let { targets, snapshot } = previous ?? {};
  const description = wanted === undefined ? targets?.metadata.signed.targets : targetFiles(wanted);
  const changed = targets !== undefined && !describes(targets.metadata.signed, description ?? {});
  if (targets === undefined || changed || (signers.root !== undefined && due("targets"))) {
    if (signers.root === undefined) {
      throw new Misconfigured("tuf", "the trust material has changed, and the key that signs targets is offline");
    }
    for (const [name, bytes] of contentFiles(wanted ?? [])) files.set(name, bytes);
    const signed = new Targets({ ...common("targets"), targets: { ...description } });
    targets = await sign("targets", signed, signers.root);
  }
  if (snapshot === undefined || roles.includes("targets") || due("snapshot")) {
    const signed = new Snapshot({ ...common("snapshot"), meta: { "targets.json": metaFile(targets) } });
    snapshot = await sign("snapshot", signed, signers.online);
  }
  if (roles.includes("snapshot") || due("timestamp")) {
    await sign(
      "timestamp",
      new Timestamp({ ...common("timestamp"), snapshotMeta: metaFile(snapshot) }),
      signers.online,
    );
  }
  return { files, roles };
}

/** A root starts out with empty roles of threshold one. */
function rootOf(common: SignedOptions, root: TufSigner, online: TufSigner): Root {
  const signed = new Root({ ...common, consistentSnapshot: true });
  for (const role of ["root", "targets"]) signed.addKey(root.key, role);
  for (const role of ["snapshot", "timestamp"]) signed.addKey(online.key, role);
  return signed;
}

/** Under both hashes: clients choose either to ask by. */
function* contentFiles(targets: readonly Target[]): Generator<readonly [string, Uint8Array]> {
  for (const { name, bytes } of targets) {
    for (const digest of Object.values(contentHashes(bytes))) yield [`targets/${digest}.${name}`, bytes];
  }
}
