import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { fetchCanaryKeys } from "../api/audit.ts";
import type { ListedEntry } from "../api/entries.ts";
import { isCanary } from "../query/newest-entries.ts";
import { grouped } from "../text/time.ts";

/** By which keys the auditor made its trial signatures, two a minute. Undefined until it is known. */
export function useCanaryKeys(): ReadonlySet<string> | undefined {
  const [keys, setKeys] = useState<ReadonlySet<string>>();
  useEffect(() => {
    void fetchCanaryKeys().then(setKeys);
  }, []);
  return keys;
}

interface WithoutCanariesProps {
  readonly entries: readonly ListedEntry[];
  readonly keys: ReadonlySet<string> | undefined;
  /** At first; the reader may switch. */
  readonly hidden?: boolean;
  readonly children: (entries: readonly ListedEntry[]) => ComponentChildren;
}

/** A list, with a switch where there are canaries in it. What is left out is counted, never silently gone. */
export function WithoutCanaries({ entries, keys, hidden = false, children }: WithoutCanariesProps) {
  const [isHidden, setHidden] = useState(hidden);
  const others = entries.filter((entry) => keys === undefined || !isCanary(entry, keys));
  const count = entries.length - others.length;
  return (
    <>
      {count > 0 && (
        <label class="switch small">
          <input type="checkbox" checked={isHidden} onChange={(event) => setHidden(event.currentTarget.checked)} />
          without the auditor's canaries{" "}
          {isHidden ? `(${grouped(count)} left out)` : `(${grouped(count)} of ${grouped(entries.length)} here)`}
        </label>
      )}
      {children(isHidden ? others : entries)}
    </>
  );
}
