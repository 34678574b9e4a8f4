import type { ComponentChildren } from "preact";
import type { Answer } from "../api/answer.ts";
import { useSignInPath } from "./session.tsx";
import { Text } from "./text.tsx";

interface NoticeProps {
  readonly tone?: "plain" | "good" | "warn" | "bad";
  readonly title: string;
  readonly children?: ComponentChildren;
}

export function Notice({ tone = "plain", title, children }: NoticeProps) {
  return (
    <div class={`notice ${tone}`} role={tone === "bad" ? "alert" : "status"}>
      <strong>
        <Text value={title} />
      </strong>
      {children !== undefined && <div class="soft">{children}</div>}
    </div>
  );
}

export function Waiting({ what }: { readonly what: string }) {
  return (
    <p class="waiting" role="status">
      {what} …
    </p>
  );
}

interface AnsweredProps<T> {
  readonly answer: Answer<T> | undefined;
  /** What is read meanwhile: "Reading the log". */
  readonly waiting: string;
  /** What is missing where the API is not there: "Search". */
  readonly name: string;
  readonly children: (value: T) => ComponentChildren;
}

/** Shows what was answered, or says why there is nothing: never an empty page, never invented figures. */
export function Answered<T>({ answer, waiting, name, children }: AnsweredProps<T>) {
  if (answer === undefined) return <Waiting what={waiting} />;
  switch (answer.kind) {
    case "answered":
      return <>{children(answer.value)}</>;
    case "absent":
      return <Notice title={`${name} is not there`}>This installation does not serve it.</Notice>;
    case "unknown":
      return (
        <Notice title="There is no such thing here">
          <Text value={answer.message} />
        </Notice>
      );
    case "refused":
      return (
        <Notice tone="warn" title="That cannot be asked">
          <Text value={answer.message} />
        </Notice>
      );
    case "forbidden":
      return (
        <Notice tone="warn" title="You may not see this">
          <Text value={answer.message} />
        </Notice>
      );
    case "signed-out":
      return <SignedOut />;
    case "damaged":
      return <Damaged message={answer.message} />;
    default:
      return (
        <Notice tone="bad" title={`${name} does not answer`}>
          <Text value={answer.message} />
        </Notice>
      );
  }
}

/** No outage: somebody who is told to try again later tries for ever. */
function Damaged({ message }: { readonly message: string }) {
  return (
    <Notice tone="bad" title="What is stored is not what was logged">
      <p>
        The server refuses to show it: <Text value={message} />.
      </p>
      <p>
        The log's database was changed or damaged after this was logged. The signed tree was not: it still proves what
        was here, and nothing else can be passed off as it. A bundle of the entry that somebody kept holds as before:{" "}
        <a href="/check">check it</a>.
      </p>
      <p>
        <a href="/health">The auditor's alarm</a> says what to do and where the evidence is. If it has none yet: it
        looks at old entries in turn, and whoever runs this installation can have all of them checked at once, by{" "}
        <code>npm run fsck</code>.
      </p>
    </Notice>
  );
}

function SignedOut() {
  const path = useSignInPath();
  return (
    <Notice tone="warn" title="You have to sign in">
      This installation shows its logs to its own people only. {path !== undefined && <a href={path}>Sign in</a>}
    </Notice>
  );
}
