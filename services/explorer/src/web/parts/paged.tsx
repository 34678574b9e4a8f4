import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Answer } from "../api/answer.ts";
import { Answered } from "./notice.tsx";
import { useAnswer } from "./use-answer.ts";

interface Page<T> {
  readonly results: readonly T[];
  readonly cursor?: string | undefined;
}

interface PagedProps<T> {
  /** Another question is another list. */
  readonly id: string;
  readonly name: string;
  readonly fetchPage: (cursor: string | undefined, signal?: AbortSignal) => Promise<Answer<Page<T>>>;
  readonly children: (results: readonly T[]) => ComponentChildren;
}

/** A list that is read page by page, as far as the reader wants. */
export function Paged<T>({ id, name, fetchPage, children }: PagedProps<T>) {
  const answer = useAnswer(id, (signal) => fetchPage(undefined, signal));
  return (
    <Answered answer={answer} waiting="Reading" name={name}>
      {(first) => (
        <Pages key={id} first={first} name={name} fetchPage={fetchPage}>
          {children}
        </Pages>
      )}
    </Answered>
  );
}

function Pages<T>({ first, name, fetchPage, children }: Omit<PagedProps<T>, "id"> & { readonly first: Page<T> }) {
  const [pages, setPages] = useState<readonly Page<T>[]>([first]);
  const [trouble, setTrouble] = useState<Answer<Page<T>>>();
  const { cursor } = pages.at(-1) ?? first;
  const more = () => {
    void fetchPage(cursor).then((answer) => {
      if (answer.kind === "answered") setPages([...pages, answer.value]);
      else setTrouble(answer);
    });
  };
  return (
    <>
      {children(pages.flatMap(({ results }) => results))}
      {trouble !== undefined && (
        <Answered answer={trouble} waiting="" name={name}>
          {() => null}
        </Answered>
      )}
      {cursor !== undefined && (
        <div class="actions">
          <button type="button" class="button" onClick={more}>
            Look further
          </button>
        </div>
      )}
    </>
  );
}
