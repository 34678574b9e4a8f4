import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { fetchAbout } from "../api/about.ts";
import { lastAudit } from "../api/audit.ts";
import type { ListedEntry } from "../api/entries.ts";
import { isCanary } from "../query/newest-entries.ts";
import { grouped } from "../text/time.ts";
import { useAnswer } from "./use-answer.ts";

/**
 * Whose the auditor's trial signatures are, two a minute: in development the page is told, else the auditor says what its
 * last certificate was for. None until it is known, and where none runs.
 */
export function useCanaryIdentities(): readonly string[] {
  const about = useAnswer("about", fetchAbout);
  const audit = useAnswer("last audit", () => lastAudit.ask());
  const told = about?.kind === "answered" ? about.value.canaryIdentity : undefined;
  const seen = audit?.kind === "answered" ? (audit.value.canary.identities ?? []) : [];
  return told === undefined || seen.includes(told) ? seen : [told, ...seen];
}

interface WithoutCanariesProps {
  readonly entries: readonly ListedEntry[];
  readonly identities: readonly string[];
  /** At first; the reader may switch. */
  readonly hidden?: boolean;
  readonly children: (entries: readonly ListedEntry[]) => ComponentChildren;
}

/** A list, with a switch where there are canaries in it. What is left out is counted, never silently gone. */
export function WithoutCanaries({ entries, identities, hidden = false, children }: WithoutCanariesProps) {
  const [isHidden, setHidden] = useState(hidden);
  const others = entries.filter((entry) => !isCanary(entry, identities));
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
