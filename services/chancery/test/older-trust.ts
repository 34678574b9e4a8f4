import { join } from "node:path";
import { loadKeyFile } from "@chancery/crypto";
import { FileDirectory, TufRepository } from "@chancery/trust";
import { tufKey } from "../../trust/src/domain/tuf/key.ts";
import { prepareRelease } from "../../trust/src/domain/tuf/release.ts";
import { loadRepository, type RepositoryState } from "../../trust/src/domain/tuf/repository-state.ts";
import type { Lie, TamperedStack } from "./tampered-stack.ts";

const DAY = 86_400_000;
/** The timestamp is signed anew each day, the others at half of their lives: three roots and targets, five snapshots. */
const DAYS = [2, 4, 91, 93, 184, 186, 290, 368, 370];

/** The trust root as it was at first and after each of these days, signed by the service, and `seen` each time. */
export async function renewTrust(world: TamperedStack, seen: () => Promise<void>): Promise<RepositoryState[]> {
  const repository = world.stack.stack.service.app.get(TufRepository);
  const directory = await FileDirectory.open(join(world.stack.data, "tuf"));
  const began = Date.now();
  const releases = [await loadRepository(directory)];
  await seen();
  for (const day of DAYS) {
    await repository.renew(began + day * DAY);
    releases.push(await loadRepository(directory));
    await seen();
  }
  return releases;
}

type Files = Readonly<Record<string, Uint8Array | undefined>>;

/** What is served in place of the last release, by how it is older. */
export async function olderTrust(world: TamperedStack, releases: readonly RepositoryState[]) {
  const at = (index: number): RepositoryState => {
    const release = releases.at(index);
    if (release === undefined) throw new RangeError(`no release ${index}`);
    return release;
  };
  const timestampOf = (index: number): Files => ({ "timestamp.json": at(index).timestamp.bytes });
  const newest = at(-1);
  const name = (role: "root" | "targets" | "snapshot") => `${newest[role].metadata.signed.version}.${role}.json`;
  const cases: Record<string, Files> = {
    "the timestamp": timestampOf(-2),
    "timestamp and snapshot": timestampOf(-3),
    "timestamp, snapshot and targets": timestampOf(-4),
    "timestamp, snapshot and targets of half a year before": timestampOf(3),
    "all that was ever signed but the roots": timestampOf(0),
    "all of half a year before": { ...timestampOf(-3), "3.root.json": undefined },
    "all that was ever signed": { ...timestampOf(0), "2.root.json": undefined, "3.root.json": undefined },
    "the newest root": { "3.root.json": undefined },
    "both newer roots": { "2.root.json": undefined, "3.root.json": undefined },
    "the root before in the newest's place": { [name("root")]: at(-3).root.bytes },
    "the first root in the newest's place": { [name("root")]: at(0).root.bytes },
    "the snapshot before in the newest's place": { [name("snapshot")]: at(-3).snapshot.bytes },
    "the targets before in the newest's place": { [name("targets")]: at(-3).targets.bytes },
    "a snapshot that a newer timestamp names": await signedAnew(world, { ...newest, snapshot: at(-3).snapshot }, 376),
    "targets that a newer snapshot names": await signedAnew(world, { ...newest, targets: at(-3).targets }, 460),
  };
  return Object.entries(cases).map(([older, files]) => {
    const lies = Object.entries(files).map(([file, bytes]): [string, Lie] => [`/tuf/${file}`, () => bytes]);
    return { older, lies };
  });
}

/** As whoever has the key that lies on the server can, which signs snapshot and timestamp. */
async function signedAnew(world: TamperedStack, state: RepositoryState, day: number): Promise<Files> {
  const signer = await loadKeyFile(join(world.stack.data, "keys", "tuf-online.pem"));
  const online = { key: tufKey(signer.publicKey, "online"), signer };
  const { files } = await prepareRelease(state, { online }, Date.now() + day * DAY);
  return Object.fromEntries(files);
}
