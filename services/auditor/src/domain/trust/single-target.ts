import { parsePem } from "@chancery/encoding";
import { sha256 } from "../merkle.ts";
import { type Targets, type TrustedMember, trustedDer } from "./trusted-party.ts";
import { describedTarget, type Metadata } from "./tuf.ts";

/** As what cosign before 2.6, policy-controller and Kyverno load a target: by `custom.sigstore.usage`, or else by its name. */
const USES: readonly { readonly usage: string; readonly name: RegExp; readonly of: TrustedMember }[] = [
  { usage: "fulcio", name: /^fulcio/i, of: "certificateAuthorities" },
  { usage: "tsa", name: /^tsa/i, of: "timestampAuthorities" },
  { usage: "rekor", name: /^rekor/i, of: "tlogs" },
  { usage: "ctfe", name: /^ctfe/i, of: "ctlogs" },
];

/**
 * Why a target of its own would have clients take a key of the trusted root for another one of it: a CT log's for a log's;
 * undefined: none would. What the trusted root does not name at all is an addition, and told as that.
 */
export function usageFault(metadata: Metadata, targets: Targets): string | undefined {
  const named = new Map(USES.map(({ of }) => [of, trustedDer(targets, of, { isCurrent: false })]));
  const isNamed = (print: string) => [...named.values()].some((prints) => prints.has(print));
  for (const [name, bytes] of targets) {
    const prints = printsOf(name, bytes).filter(isNamed);
    if (prints.length === 0) continue;
    const texts = new Set(textsIn(describedTarget(metadata, name)).map((text) => text.toLowerCase()));
    for (const use of USES) {
      if (!texts.has(use.usage) && !use.name.test(name)) continue;
      const other = prints.find((print) => named.get(use.of)?.has(print) !== true);
      if (other !== undefined)
        return `${name}: has clients use what the trusted root names otherwise as ${use.usage}: SHA-256 ${other}`;
    }
  }
  return undefined;
}

function printsOf(name: string, bytes: Uint8Array): string[] {
  try {
    const blocks = parsePem(Buffer.from(bytes).toString("utf8"), name, { labels: ["PUBLIC KEY", "CERTIFICATE"] });
    return blocks.map(({ der }) => sha256(der).toHex());
  } catch {
    return [];
  }
}

/** Clients take names of members in capital letters too, so each text may be the one that they look for. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
