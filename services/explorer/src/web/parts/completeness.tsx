import type { Completeness } from "../api/search.ts";
import { logPath } from "../route.ts";
import { grouped } from "../text/time.ts";
import { printable } from "../text/printable.ts";
import { Text } from "./text.tsx";

/** What makes an empty answer mean something: up to here there is no other. */
export function CompleteTo({ logs }: { readonly logs: readonly Completeness[] }) {
  if (logs.length === 0) return null;
  return (
    <p class="small" data-complete>
      Complete up to{" "}
      {logs.map(({ log, size, root }, index) => (
        <>
          {index > 0 && " and "}
          <span title={`root ${printable(root)}`}>
            {grouped(size)} {size === "1" ? "entry" : "entries"} of{" "}
            <a href={logPath(log)}>
              <Text value={log} />
            </a>
          </span>
        </>
      ))}
      : what was signed and is not shown here is not in those trees.
    </p>
  );
}
