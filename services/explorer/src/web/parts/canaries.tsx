import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { fetchAbout } from "../api/about.ts";
import type { ListedEntry } from "../api/entries.ts";
import { isCanary } from "../query/newest-entries.ts";
import { grouped } from "../text/time.ts";
import { useAnswer } from "./use-answer.ts";

/** Whose the auditor's trial signatures are, two a minute; undefined until it is known, and where none runs. */
export function useCanaryIdentity(): string | undefined {
  const answer = useAnswer("about", fetchAbout);
  return answer?.kind === "answered" ? answer.value.canaryIdentity : undefined;
}

interface WithoutCanariesProps {
  readonly entries: readonly ListedEntry[];
  readonly identity: string | undefined;
  /** At first; the reader may switch. */
  readonly hidden?: boolean;
  readonly children: (entries: readonly ListedEntry[]) => ComponentChildren;
}

/** A list, with a switch where there are canaries in it. What is left out is counted, never silently gone. */
export function WithoutCanaries({ entries, identity, hidden = false, children }: WithoutCanariesProps) {
  const [isHidden, setHidden] = useState(hidden);
  const others = entries.filter((entry) => !isCanary(entry, identity));
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
