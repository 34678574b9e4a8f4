import { firstFailure } from "../proof/check-entry.ts";
import type { Step, StepState } from "../proof/step.ts";
import { Text } from "./text.tsx";

const STATE_WORDS: Readonly<Record<StepState, string>> = {
  passed: "holds",
  failed: "does not hold",
  open: "not checked",
  doubtful: "open to doubt",
};

interface VerdictProps {
  readonly steps: readonly Step[];
  /** What is this server's word alone, as a sentence without its end. */
  readonly serversWord: string | undefined;
  readonly what?: "entry" | "log" | "bundle";
}

/** The verdict in one sentence. Red names the first step that fails; green is only where none is left to doubt. */
export function Verdict({ steps, serversWord, what = "entry" }: VerdictProps) {
  const failure = firstFailure(steps);
  if (failure !== undefined) {
    const isSigner = what === "entry" && (failure.id === "certificate" || failure.id === "certificate-log");
    return (
      <div class="notice bad" role="alert">
        <div class="verdict">
          <Sign state="failed" />
          <strong>Do not believe {isSigner ? "who signed this entry" : `this ${what}`}</strong>
          <span>
            “{failure.title}” does not hold. <Text value={failure.words} />
          </span>
        </div>
      </div>
    );
  }
  const held = steps.filter(({ state }) => state === "passed").length;
  const doubtful = steps.find(({ state }) => state === "doubtful");
  return (
    <div class={doubtful === undefined ? "notice good" : "notice warn"} role="status">
      <div class="verdict">
        <Sign state={doubtful === undefined ? "passed" : "doubtful"} />
        <strong>{doubtful === undefined ? "Checked in your browser" : "Checked, with a doubt"}</strong>
        <span>
          {doubtful !== undefined && (
            <>
              “{doubtful.title}” could not be made sure. <Text value={doubtful.words} />{" "}
              {what === "entry" && doubtful.id === "certificate" && isWithoutTime(steps) && (
                <>
                  <a href="/check">Check a bundle</a>.{" "}
                </>
              )}
            </>
          )}
          {held === 1 ? "One step holds" : `${held} steps hold`}, {what === "log" ? "" : `from the ${what}'s bytes `}to
          the signature on the log's checkpoint.{" "}
          {serversWord !== undefined && (
            <>
              {serversWord}: to believe nobody here, <a href="/keys">put in</a> the key or the trusted root that you
              were given elsewhere.
            </>
          )}
        </span>
      </div>
    </div>
  );
}

/** Then the signer's bundle can say more than the entry. */
function isWithoutTime(steps: readonly Step[]): boolean {
  return steps.some(({ id, state }) => id === "promise" && state === "open");
}

export function StepList({ steps }: { readonly steps: readonly Step[] }) {
  return (
    <ol class="steps">
      {steps.map((step) => (
        <li key={step.id} class={step.state} data-step={step.id} data-state={step.state}>
          <Sign state={step.state} />
          <div>
            <h3>
              {step.title} <span class="hidden-text">: {STATE_WORDS[step.state]}</span>
            </h3>
            <p>
              <Text value={step.words} />
            </p>
            {step.values.length > 0 && <Values step={step} />}
          </div>
        </li>
      ))}
    </ol>
  );
}

function Values({ step }: { readonly step: Step }) {
  return (
    <details>
      <summary>Values</summary>
      <dl class="values">
        {step.values.map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd class="hash">
              <Text value={value} />
            </dd>
          </>
        ))}
      </dl>
    </details>
  );
}

export function Sign({ state }: { readonly state: StepState }) {
  return (
    <span class={`sign ${state}`} aria-hidden="true">
      <svg
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        stroke-width="2.4"
        stroke-linecap="round"
        stroke-linejoin="round"
      >
        {state === "passed" && <path d="M3 8.5 6.5 12 13 4.5" />}
        {state === "failed" && <path d="m4 4 8 8m0-8-8 8" />}
        {state === "open" && <path d="M4 8h8" />}
        {state === "doubtful" && <path d="M8 3v6m0 3v.5" />}
      </svg>
    </span>
  );
}
