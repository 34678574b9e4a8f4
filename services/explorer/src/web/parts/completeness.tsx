import type { Completeness, Incompleteness } from "../api/search.ts";
import { logPath } from "../route.ts";
import { grouped } from "../text/time.ts";
import { printable } from "../text/printable.ts";
import { Notice } from "./notice.tsx";
import { Text } from "./text.tsx";

interface CompleteToProps {
  readonly found: { readonly complete: readonly Completeness[]; readonly incomplete?: Incompleteness | undefined };
}

/** What makes an empty answer mean something: up to here there is no other. */
export function CompleteTo({ found: { complete: logs, incomplete = [] } }: CompleteToProps) {
  return (
    <>
      {logs.length > 0 && <Complete logs={logs} />}
      {incomplete.map(({ log, unindexed, remedy }) => (
        <Notice key={log} tone="warn" title={`Not complete for ${log}`}>
          {grouped(unindexed)} older entries are not in the index yet, and are not found here:{" "}
          <code>
            <Text value={remedy} />
          </code>{" "}
          adds them.
        </Notice>
      ))}
    </>
  );
}

function Complete({ logs }: { readonly logs: readonly Completeness[] }) {
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
