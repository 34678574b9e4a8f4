import type { Failpoint, LogStore } from "../../../libs/log/src/index.ts";

/** Takes the step "committed" of a store that was opened without failpoints, so that COMMIT travels as it does in use. */
export function afterCommit(store: LogStore, failpoint: Failpoint): LogStore {
  return {
    create: (name, key, time) => store.create(name, key, time),
    find: async (name) => {
      const stored = await store.find(name);
      if (stored === undefined) return undefined;
      const { writer } = stored;
      return {
        ...stored,
        writer: {
          tree: () => writer.tree(),
          freeze: () => writer.freeze(),
          publish: (checkpoint) => writer.publish(checkpoint),
          commit: async (...batch) => {
            await writer.commit(...batch);
            await failpoint("committed");
          },
        },
      };
    },
  };
}
