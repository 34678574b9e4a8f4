import { type About, fetchAbout } from "../api/about.ts";
import { Card, Facts, Lead } from "../parts/card.tsx";
import { Answered, Notice } from "../parts/notice.tsx";
import { Copy, Linked, Text } from "../parts/text.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { printableLines } from "../text/printable.ts";

export function SignPage() {
  const answer = useAnswer("about", fetchAbout);
  return (
    <>
      <Lead title="How to sign here">
        A private Sigstore. Its services speak the public ones' own APIs, so unmodified clients sign and verify here.
      </Lead>
      <Answered answer={answer} waiting="Reading the addresses" name="The description of this installation">
        {(about) => (
          <>
            <Warning about={about} />
            {about.paste.map(({ title, lines }) => (
              <Card key={title} title={title} note={<Copy value={lines.join("\n")} label="Copy all lines" />}>
                <pre class="block" tabIndex={0}>
                  {printableLines(lines.join("\n"))}
                </pre>
              </Card>
            ))}
            <Card title="Where everything is">
              <Facts lines={about.places.map(([name = "", place = ""]) => [name, <Linked value={place} />])} />
            </Card>
          </>
        )}
      </Answered>
    </>
  );
}

/** On the first page too: who opens it must know that here anyone can be anyone. */
export function DevelopmentWarning() {
  const answer = useAnswer("about", fetchAbout);
  return answer?.kind === "answered" ? <Warning about={answer.value} /> : null;
}

function Warning({ about }: { readonly about: About }) {
  if (about.warning === undefined) return null;
  return (
    <Notice tone="warn" title="Development mode">
      <Text value={about.warning} />
    </Notice>
  );
}
