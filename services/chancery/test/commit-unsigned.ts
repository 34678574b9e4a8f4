import { type LogStore, SearchKeys } from "@chancery/log";
import { growTree, leafHash } from "@chancery/tlog";

/** What a process leaves that dies between COMMIT and its anchor. */
export async function commitUnsigned(store: LogStore, count: number, name = "rekor"): Promise<void> {
  const { writer } = (await store.find(name))!;
  const leaves = Array.from({ length: count }, (_, at) => Buffer.from(`{"unsigned":${at}}`));
  await writer.commit([], (state) => {
    const growth = growTree(state, leaves.map(leafHash));
    const entries = leaves.map((leaf) => {
      const hash = leafHash(leaf);
      return { identity: hash, leaf, leafHash: hash, extra: new Uint8Array(), searchKeys: SearchKeys.NONE, names: [] };
    });
    const { tiles, size, root, edge } = growth;
    return { entries, tiles, tree: { size, root, edge, time: state.time + 1 } };
  });
}
