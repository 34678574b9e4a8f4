import { counted } from "@chancery/encoding";
import type { Completeness, Incompleteness } from "../api/search.ts";
import { logPath } from "../route.ts";
import { grouped } from "../text/time.ts";
import { printable } from "../text/printable.ts";
import { Notice } from "./notice.tsx";
import { Text } from "./text.tsx";

interface CompleteToProps {
  readonly found: {
    readonly complete: readonly Completeness[];
    readonly incomplete?: Incompleteness | undefined;
    /** There is more of the list than is shown. */
    readonly cursor?: string | undefined;
  };
  readonly order?: "newest" | "oldest";
  /** How many are shown. */
  readonly shown: number;
}

/** What makes an empty answer mean something: up to here there is no other. */
export function CompleteTo({ found, order = "newest", shown }: CompleteToProps) {
  const { complete: logs, incomplete = [], cursor } = found;
  return (
    <>
      {logs.length > 0 && cursor === undefined && <Complete logs={logs} />}
      {logs.length > 0 && cursor !== undefined && (
        <p class="small" data-partial>
          {shown === 0
            ? "None so far, and not all was looked through"
            : `These are the ${order} ${grouped(shown)}, not all`}{" "}
          in <Sizes logs={logs} />: look further for the others.
        </p>
      )}
      {incomplete.map(({ log, unindexed, remedy }) => (
        <Notice key={log} tone="warn" title={`Not complete for ${log}`}>
          Not in the index yet, and so not found here: {counted(grouped(unindexed), "older entry", "older entries")}.{" "}
          <code>
            <Text value={remedy} />
          </code>{" "}
          adds what is missing.
        </Notice>
      ))}
    </>
  );
}

function Complete({ logs }: { readonly logs: readonly Completeness[] }) {
  return (
    <p class="small" data-complete>
      Complete up to <Sizes logs={logs} />: what was signed and is not shown here is not in those trees.
    </p>
  );
}

function Sizes({ logs }: { readonly logs: readonly Completeness[] }) {
  return (
    <>
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
    </>
  );
}
