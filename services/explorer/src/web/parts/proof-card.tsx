import { useState } from "preact/hooks";
import { type CheckedEntry, firstFailure } from "../proof/check-entry.ts";
import { keepParties, keptParties } from "../proof/own-keys.ts";
import { joinedParties, NOBODY } from "../proof/trusted-keys.ts";
import { Card } from "./card.tsx";
import { Notice } from "./notice.tsx";
import { StepList } from "./step-list.tsx";
import { Text } from "./text.tsx";
import type { Parties } from "./use-parties.ts";

interface ProofCardProps {
  readonly checked: CheckedEntry;
  readonly parties: Parties;
}

export function ProofCard({ checked, parties }: ProofCardProps) {
  return (
    <Card title="The proof, step by step" note="computed here, in your browser">
      {parties.trouble !== undefined && (
        <Notice tone="warn" title="The trusted root could not be read">
          <Text value={parties.trouble} />
        </Notice>
      )}
      <StepList steps={checked.steps} />
      {firstFailure(checked.steps) === undefined && <KeepKey checked={checked} />}
    </Card>
  );
}

/** From then on another key under the same log, or another authority, shows red, whoever answers. */
function KeepKey({ checked: { logKey, authority } }: Pick<ProofCardProps, "checked">) {
  const [kept, setKept] = useState(false);
  const isServersKey = logKey?.source === "server";
  const isServersAuthority = authority?.source === "server";
  if (!isServersKey && !isServersAuthority) return null;
  if (kept) {
    return (
      <p class="small" role="status">
        Kept. From now on this browser believes the kept keys only: <a href="/keys">see them</a>.
      </p>
    );
  }
  const keep = () => {
    const told = {
      ...NOBODY,
      logKeys: isServersKey ? [{ ...logKey, source: "pinned" as const }] : [],
      authorities: isServersAuthority ? [{ ...authority, source: "pinned" as const }] : [],
    };
    keepParties(localStorage, joinedParties(keptParties(localStorage), told));
    setKept(true);
  };
  return (
    <div class="actions">
      <button type="button" class="button" onClick={keep}>
        {isServersKey ? "Keep this log's key" : "Keep this certificate authority"}
        {isServersKey && isServersAuthority && " and certificate authority"}
      </button>
      <span class="small">If the server ever comes with another, this page shows red.</span>
    </div>
  );
}
