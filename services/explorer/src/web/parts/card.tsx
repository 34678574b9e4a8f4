import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { Text } from "./text.tsx";
import { printable } from "../text/printable.ts";

interface LeadProps {
  /** The page's heading and the tab's title; printable, whoever wrote it. */
  readonly title: string;
  readonly eyebrow?: ComponentChildren;
  readonly children?: ComponentChildren;
  readonly heading?: ComponentChildren;
}

export function Lead({ title, eyebrow, heading, children }: LeadProps) {
  useEffect(() => {
    document.title = `${printable(title).slice(0, 120)} · Chancery`;
  }, [title]);
  return (
    <header class="lead">
      {eyebrow !== undefined && <div class="eyebrow">{eyebrow}</div>}
      <h1 tabIndex={-1}>{heading ?? <Text value={title} />}</h1>
      {children !== undefined && <p>{children}</p>}
    </header>
  );
}

interface CardProps {
  readonly title: string;
  readonly note?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Card({ title, note, children }: CardProps) {
  return (
    <section class="card" aria-label={printable(title)}>
      <div class="card-head">
        <h2>
          <Text value={title} />
        </h2>
        {note !== undefined && <p>{note}</p>}
      </div>
      {children}
    </section>
  );
}

export type FactLine = readonly [name: string, value: ComponentChildren];

/** Lines without a value are left out. */
export function Facts({ lines }: { readonly lines: readonly (FactLine | undefined)[] }) {
  const shown = lines.filter((line): line is FactLine => line !== undefined && line[1] !== undefined && line[1] !== "");
  return (
    <dl class="facts">
      {shown.map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}
