import { useState } from "preact/hooks";
import { pieces } from "../text/printable.ts";
import { safeLink } from "../text/safe-link.ts";
import { ago, utcTime } from "../text/time.ts";

const LONGEST = 600;

/** What strangers wrote: in its own direction, invisible characters told by their numbers, cut where nobody reads on. */
export function Text({ value }: { readonly value: string }) {
  const [whole, setWhole] = useState(false);
  const isCut = value.length > LONGEST && !whole;
  const shown = isCut ? value.slice(0, LONGEST) : value;
  return (
    <>
      <bdi>
        {pieces(shown).map((piece) =>
          piece.kind === "text" ? (
            piece.text
          ) : (
            <span class="escape" title="a character that cannot be seen">
              {piece.text}
            </span>
          ),
        )}
      </bdi>
      {isCut && (
        <>
          …{" "}
          <button type="button" class="link-button small" onClick={() => setWhole(true)}>
            {value.length - LONGEST} more characters
          </button>
        </>
      )}
    </>
  );
}

/** A link only where the text is one, letter for letter. */
export function Linked({ value }: { readonly value: string }) {
  const href = safeLink(value);
  if (href === undefined) return <Text value={value} />;
  return (
    <a href={href} rel="noopener noreferrer nofollow external" target="_blank">
      <Text value={value} />
    </a>
  );
}

export function Hash({ value, copy = true }: { readonly value: string; readonly copy?: boolean }) {
  return (
    <span class="hash">
      <Text value={value} />
      {copy && <Copy value={value} />}
    </span>
  );
}

export function Copy({ value, label = "Copy" }: { readonly value: string; readonly label?: string }) {
  const [copied, setCopied] = useState(false);
  // A page from plain http that is not localhost has no clipboard.
  if (navigator.clipboard === undefined) return null;
  const copy = () => {
    void navigator.clipboard.writeText(value).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1_500);
    });
  };
  return (
    <button type="button" class="copy" onClick={copy} aria-live="polite">
      {copied ? "Copied" : label}
    </button>
  );
}

export function Time({ value }: { readonly value: string | number }) {
  return (
    <time dateTime={utcTime(value)}>
      {utcTime(value)} <span class="small">{ago(value, Date.now())}</span>
    </time>
  );
}
