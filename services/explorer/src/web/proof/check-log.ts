import { decodeHex, equalBytes, utf8 } from "@chancery/encoding";
import { Unverified } from "@chancery/fault";
import { isNamedLog } from "./log-name.ts";
import { withKeyLife } from "./key-life.ts";
import { checkSignature, type FoundKey } from "./log-signature.ts";
import { parseSignedCheckpoint, type SignedCheckpoint } from "./signed-note.ts";
import { attempt, type Step } from "./step.ts";
import type { TrustedKey, TrustedParties } from "./trusted-keys.ts";

/** What a server tells of a log. */
export interface ToldLog {
  /** What the server calls it. */
  readonly log?: string;
  readonly origin: string;
  readonly size: string;
  readonly root: string;
  readonly checkpoint?: string | undefined;
}

export interface CheckedLog {
  readonly steps: readonly Step[];
  readonly logKey: TrustedKey | undefined;
}

/** Whether size and root, as told, are what the log signed. */
export async function checkLog(log: ToldLog, parties: TrustedParties, now = Date.now()): Promise<CheckedLog> {
  let checkpoint: SignedCheckpoint | undefined;
  const found: FoundKey = { logKey: undefined };
  const steps = [
    await attempt("checkpoint", () => {
      checkpoint = parseSignedCheckpoint(log.checkpoint ?? "");
      if (String(checkpoint.size) !== log.size) throw new Unverified("the checkpoint is of another size than is told");
      if (!equalBytes(checkpoint.root, decodeHex(log.root, "root"))) {
        throw new Unverified("the checkpoint has another root than is told");
      }
      if (checkpoint.origin !== log.origin) throw new Unverified("the checkpoint is of another log than is told");
      return {
        state: "passed",
        words: "Size, root and origin are those of the checkpoint.",
        values: [["Bytes signed", `${utf8(checkpoint.text).length}`]],
      };
    }),
    await attempt("log-signature", () =>
      checkSignature(checkpoint, parties.logKeys, found, isNamedLog(log.log) ? log.log : undefined),
    ),
  ];
  return { steps: withKeyLife({ steps, ...found }, [], now), ...found };
}
