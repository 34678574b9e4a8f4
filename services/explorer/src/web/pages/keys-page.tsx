import { encodePem } from "@chancery/encoding";
import { useMemo, useState } from "preact/hooks";
import { fetchLogs } from "../api/logs.ts";
import { Card, Facts, Lead } from "../parts/card.tsx";
import { Notice } from "../parts/notice.tsx";
import { Copy, Hash, Text } from "../parts/text.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { useParties } from "../parts/use-parties.ts";
import { lifeWords } from "../proof/key-life.ts";
import { keepParties, keptParties } from "../proof/own-keys.ts";
import { fingerprint, parsePublicKeyPem } from "../proof/public-key.ts";
import { digestOf } from "../proof/signature.ts";
import {
  joinedParties,
  NOBODY,
  parseTrustedText,
  type TrustedAuthority,
  type TrustedParties,
} from "../proof/trusted-keys.ts";

const SOURCES = {
  pasted: "put in by you",
  pinned: "kept from an earlier visit",
  server: "told by this server",
} as const;

export function KeysPage() {
  const [own, setOwn] = useState(() => keptParties(localStorage));
  const parties = useParties();
  const isEmpty = Object.values(own).every((list) => list.length === 0);
  const change = (trusted: TrustedParties) => {
    keepParties(localStorage, trusted);
    setOwn(trusted);
  };
  return (
    <>
      <Lead title="Keys this browser trusts">
        A log's signature is worth what its key is worth. While nothing is kept here, the keys of this server's trusted
        root are used, so by its word; once something is, only that. Who signed is told by a certificate authority: it
        is kept from a whole trusted root, and until then is this server's word.
      </Lead>
      <Card title="Yours" note={isEmpty ? "none" : "only these are used"}>
        {!isEmpty && <PartyList parties={own} />}
        <AddKeys onParties={(more) => change(joinedParties(own, more))} />
        {!isEmpty && (
          <div class="actions">
            <button type="button" class="button" onClick={() => change(NOBODY)}>
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
        {parties !== undefined && <PartyList parties={parties.server} />}
        <p class="small">Compare the fingerprints with what you were given by another way before you keep them.</p>
      </Card>
    </>
  );
}

function AddKeys({ onParties }: { readonly onParties: (parties: TrustedParties) => void }) {
  const [text, setText] = useState("");
  const [trouble, setTrouble] = useState<string>();
  const add = (event: Event) => {
    event.preventDefault();
    try {
      onParties(parseTrustedText(text));
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

/** The server's names for logs, by their keys: addresses alone may be the same for two. */
function useLogNames(): ReadonlyMap<string, string> {
  const logs = useAnswer("logs", fetchLogs);
  return useMemo(() => {
    const found = logs?.kind === "answered" ? logs.value : [];
    const ofShards = found.flatMap(({ log, shards = [] }) =>
      shards.flatMap(({ origin, publicKey }) => keyNames(`${log}, ${origin}`, publicKey ?? "")),
    );
    return new Map(ofShards.concat(found.flatMap(({ log, publicKey }) => keyNames(log, publicKey))));
  }, [logs]);
}

function keyNames(log: string, publicKey: string): (readonly [string, string])[] {
  try {
    return [[fingerprint(parsePublicKeyPem(publicKey, "key")).toHex(), log]];
  } catch {
    return [];
  }
}

function PartyList({ parties }: { readonly parties: TrustedParties }) {
  const { logKeys, authorities, timestampAuthorities } = parties;
  const names = useLogNames();
  return (
    <ul class="rows">
      {logKeys.map(({ key, label, source, validFor }) => (
        <li key={fingerprint(key).toHex()} class="found">
          <Facts
            lines={[
              ["Log", <Text value={names.get(fingerprint(key).toHex()) ?? "none of this server's"} />],
              ["Named", <Text value={label} />],
              ["Where from", SOURCES[source]],
              validFor === undefined ? undefined : ["Believed", lifeWords(validFor)],
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
      {authorities.map((one) => authorityLine("Certificate authority", one))}
      {timestampAuthorities.map((one) => authorityLine("Timestamp authority", one))}
    </ul>
  );
}

function authorityLine(name: string, { chain: [issuer], source, validFor }: TrustedAuthority) {
  if (issuer === undefined) return null;
  const digest = digestOf("sha256", issuer.der).toHex();
  return (
    <li key={digest} class="found">
      <Facts
        lines={[
          [name, <Text value={issuer.subject} />],
          ["Where from", SOURCES[source]],
          validFor === undefined ? undefined : ["Believed", lifeWords(validFor)],
          ["SHA-256", <Hash value={digest} />],
        ]}
      />
    </li>
  );
}
