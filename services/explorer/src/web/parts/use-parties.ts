import { useEffect, useState } from "preact/hooks";
import { keptParties } from "../proof/own-keys.ts";
import { effectiveParties, NOBODY, parseTrustedRoot, type TrustedParties } from "../proof/trusted-keys.ts";

export interface Parties {
  readonly effective: TrustedParties;
  readonly server: TrustedParties;
  /** The server's trusted root, where it could not be read. */
  readonly trouble?: string;
}

/** Undefined until the trusted root has been asked for. */
export function useParties(): Parties | undefined {
  const [parties, setParties] = useState<Parties>();
  useEffect(() => {
    void readServerRoot().then(({ server, ...trouble }) => {
      setParties({ effective: effectiveParties(keptParties(localStorage), server), server, ...trouble });
    });
  }, []);
  return parties;
}

async function readServerRoot(): Promise<{ server: TrustedParties; trouble?: string }> {
  try {
    const response = await fetch("/trust/trusted_root.json", { redirect: "error" });
    if (!response.ok) return { server: NOBODY, trouble: `The server answered ${response.status}.` };
    return { server: parseTrustedRoot(await response.text(), "server") };
  } catch (error) {
    return { server: NOBODY, trouble: error instanceof Error ? error.message : "It cannot be read." };
  }
}
