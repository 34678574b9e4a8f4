import { resolve } from "node:path";
import { type Alarm, settleable, settleAlarm } from "@chancery/auditor";
import { Misconfigured } from "@chancery/fault";
import type { Terminal } from "./command-line.ts";
import { parseFlags } from "./flags.ts";
import { printable } from "./printable.ts";

const USAGE = `usage: chancery auditor settle --state FOLDER [--alarm ID --because TEXT]

Ends an alarm that nothing mends: a row of the ledger that is gone and of which there is no copy, a certificate that the
CT log will never hold, a precertificate that a crash left without its row; and one of a key, an authority or a server
that clients are told to trust, where it was you who added it. Without --alarm it lists those that are open. What is
settled stays listed, with your reason; the same told again is no alarm, anything else is. One that stands for more than
are told one by one cannot be settled: settle those that are, and the others are told in their place. Works while the
auditor runs, which takes it up within seconds.

  --state FOLDER       the auditor's memory: <data>/auditor beside the services, or what its --state was
  --alarm ID           as this list and /api/chancery/v1/audit have it
  --because TEXT       what you found out: one line
`;

const FLAGS = {
  state: { type: "string" },
  alarm: { type: "string" },
  because: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** `chancery auditor settle`: resolves with the exit code. */
export async function settleCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
  const flags = parseFlags(argv, FLAGS);
  if (flags.help === true) {
    terminal.out(USAGE);
    return 0;
  }
  if (flags.state === undefined) throw new Misconfigured("--state", "is needed: the auditor's folder");
  const state = resolve(flags.state);
  if (flags.alarm === undefined) {
    if (flags.because !== undefined) throw new Misconfigured("--alarm", "is needed: which one");
    const open = await settleable(state);
    terminal.out(open.length === 0 ? "no open alarm that can be settled\n" : open.map(line).join(""));
    return 0;
  }
  if (flags.because === undefined) throw new Misconfigured("--because", "is needed: what you found out");
  const alarm = await settleAlarm(state, flags.alarm, flags.because, Date.now());
  terminal.out(`settled: ${printable(alarm.what)}\n`);
  return 0;
}

function line({ id, since, trouble, what }: Alarm): string {
  return `${id}  ${since}  ${trouble}: ${printable(what)}\n`;
}
