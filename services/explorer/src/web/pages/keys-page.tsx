import { encodePem } from "@chancery/encoding";
import { useState } from "preact/hooks";
import { Card, Facts, Lead } from "../parts/card.tsx";
import { Notice } from "../parts/notice.tsx";
import { Copy, Hash, Text } from "../parts/text.tsx";
import { useParties } from "../parts/use-parties.ts";
import { keepKeys, keptKeys } from "../proof/own-keys.ts";
import { fingerprint } from "../proof/public-key.ts";
import { parseTrustedText, type TrustedKey } from "../proof/trusted-keys.ts";

const SOURCES = {
  pasted: "put in by you",
  pinned: "kept from an earlier visit",
  server: "told by this server",
} as const;

export function KeysPage() {
  const [own, setOwn] = useState(() => keptKeys(localStorage));
  const parties = useParties();
  const change = (keys: readonly TrustedKey[]) => {
    keepKeys(localStorage, keys);
    setOwn([...keys]);
  };
  return (
    <>
      <Lead title="Keys this browser trusts">
        A log's signature is worth what its key is worth. While nothing is kept here, the keys of this server's trusted
        root are used, so by its word; once something is, only that.
      </Lead>
      <Card title="Yours" note={own.length === 0 ? "none" : "only these are used"}>
        {own.length > 0 && <KeyList keys={own} />}
        <AddKeys onKeys={(keys) => change(joined(own, keys))} />
        {own.length > 0 && (
          <div class="actions">
            <button type="button" class="button" onClick={() => change([])}>
              Forget them all
            </button>
          </div>
        )}
      </Card>
      <Card title="This server's" note="from /trust/trusted_root.json">
        {parties?.trouble !== undefined && (
          <Notice tone="warn" title="The trusted root could not be read">
            <Text value={parties.trouble} />
          </Notice>
        )}
        {parties !== undefined && <KeyList keys={parties.server.logKeys} />}
        <p class="small">Compare the fingerprints with what you were given by another way before you keep them.</p>
      </Card>
    </>
  );
}

function AddKeys({ onKeys }: { readonly onKeys: (keys: readonly TrustedKey[]) => void }) {
  const [text, setText] = useState("");
  const [trouble, setTrouble] = useState<string>();
  const add = (event: Event) => {
    event.preventDefault();
    try {
      onKeys(parseTrustedText(text));
      setText("");
      setTrouble(undefined);
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : "It cannot be read.");
    }
  };
  return (
    <form class="search-form" onSubmit={add}>
      <label class="field">
        A public key (PEM), or a whole trusted_root.json
        <textarea rows={5} value={text} spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      {trouble !== undefined && (
        <Notice tone="bad" title="That is no key">
          <Text value={trouble} />
        </Notice>
      )}
      <div class="actions">
        <button type="submit" class="button main" disabled={text.trim() === ""}>
          Trust it in this browser
        </button>
      </div>
    </form>
  );
}

function KeyList({ keys }: { readonly keys: readonly TrustedKey[] }) {
  return (
    <ul class="rows">
      {keys.map(({ key, label, source }) => (
        <li key={fingerprint(key).toHex()} class="found">
          <Facts
            lines={[
              ["Named", <Text value={label} />],
              ["Where from", SOURCES[source]],
              [
                "Key",
                <>
                  {key.algorithm} <Copy value={encodePem("PUBLIC KEY", key.spki)} label="Copy as PEM" />
                </>,
              ],
              ["SHA-256", <Hash value={fingerprint(key).toHex()} />],
            ]}
          />
        </li>
      ))}
    </ul>
  );
}

/** Each key once; what was put in last names it. */
function joined(own: readonly TrustedKey[], more: readonly TrustedKey[]): TrustedKey[] {
  return [...new Map([...own, ...more].map((trusted) => [fingerprint(trusted.key).toHex(), trusted])).values()];
}
