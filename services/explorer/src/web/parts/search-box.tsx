import { useId, useRef, useState } from "preact/hooks";
import type { Reading } from "../query/reading.ts";
import { understand } from "../query/understand.ts";
import { NO_SEARCH, type SearchAddress, writeSearchAddress } from "../query/search-address.ts";
import { useNavigation } from "../route.ts";
import { DropZone } from "./drop-zone.tsx";
import { pathForFile } from "./dropped-file.ts";
import { Text } from "./text.tsx";

interface SearchBoxProps {
  readonly search?: SearchAddress;
  readonly autofocus?: boolean;
}

/** Takes anything: typed, pasted, chosen or dropped. Says what it understood before it is asked. */
export function SearchBox({ search = NO_SEARCH, autofocus = false }: SearchBoxProps) {
  const { go } = useNavigation();
  const [text, setText] = useState(search.text);
  const [progress, setProgress] = useState<string>();
  const understood = useId();

  const submit = (event: Event) => {
    event.preventDefault();
    go(writeSearchAddress({ ...search, text: text.trim(), meaning: 0 }));
  };
  const take = (file: File) => {
    setProgress(`Hashing ${file.name} in this browser`);
    pathForFile(file, (share) =>
      setProgress(`Hashing ${file.name} in this browser: ${Math.round(share * 100)} %`),
    ).then(
      (path) => go(path),
      () => setProgress(`${file.name} could not be read.`),
    );
  };

  return (
    <DropZone onFile={take}>
      <form class="search-form" role="search" onSubmit={submit}>
        <div class="search-line">
          <input
            type="search"
            name="q"
            value={text}
            autofocus={autofocus}
            onInput={(event) => setText(event.currentTarget.value)}
            placeholder="Digest, image, e-mail, repository, entry …"
            aria-label="Search the logs"
            aria-describedby={understood}
            autocomplete="off"
            spellcheck={false}
          />
          <ChooseFile onFile={take} />
          <button type="submit" class="button main">
            Search
          </button>
        </div>
        <p class="understood" id={understood} aria-live="polite">
          {progress === undefined ? <Understood text={text} search={search} /> : <Text value={progress} />}
        </p>
      </form>
    </DropZone>
  );
}

function ChooseFile({ onFile }: { readonly onFile: (file: File) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const choose = (event: Event & { readonly currentTarget: HTMLInputElement }) => {
    const file = event.currentTarget.files?.[0];
    if (file !== undefined) onFile(file);
  };
  return (
    <>
      <button
        type="button"
        class="button"
        onClick={() => input.current?.click()}
        title="It stays on this machine: only its digest is searched"
      >
        File …
      </button>
      <input ref={input} type="file" hidden onChange={choose} />
    </>
  );
}

function Understood({ text, search }: { readonly text: string; readonly search: SearchAddress }) {
  const { go } = useNavigation();
  if (text.trim() === "") return <>Or drop a file here: it is hashed in this browser and stays on this machine.</>;
  const { reading, others } = understand(text, location.host);
  const meanings: readonly Reading[] = [reading, ...others];
  // The page that was asked for it says so itself.
  const isAsked = search.text === text.trim();
  const current = isAsked ? (meanings[search.meaning] ?? reading) : reading;
  return (
    <>
      Understood as{" "}
      <strong>
        <Text value={current.what} />
      </strong>
      . {current.goal.kind === "hint" && !isAsked && `${current.goal.words} `}
      {meanings.length > 1 && (
        <>
          Or search for{" "}
          {meanings.map((meaning, index) =>
            meaning === current ? null : (
              <>
                <button
                  key={meaning.what}
                  type="button"
                  class="link-button"
                  onClick={() => go(writeSearchAddress({ ...search, text: text.trim(), meaning: index }))}
                >
                  <Text value={meaning.what} />
                </button>
                {index < meanings.length - 1 && !(index === meanings.length - 2 && meanings.at(-1) === current)
                  ? "; "
                  : "."}
              </>
            ),
          )}
        </>
      )}
    </>
  );
}
