import type { Progress } from "@chancery/auditor";

const WIDTH = 30;
const DRAW_MS = 100;
/** Without a terminal, for those who read along in a file. */
const LINE_MS = 5_000;
const CLEAR_LINE = "\r\u001b[2K";

/** A bar that moves on a terminal, a line now and then elsewhere. */
export function showBar(
  log: string,
  to: { readonly isTTY?: boolean },
  write: (text: string) => void,
): { progress: Progress; done(): void } {
  const isTerminal = to.isTTY === true;
  let [current, since, drawn] = ["", 0, performance.now()];
  const progress: Progress = (step, done, total) => {
    const now = performance.now();
    if (step !== current) [current, since] = [step, now];
    if (now - drawn < (isTerminal ? DRAW_MS : LINE_MS)) return;
    drawn = now;
    const text = `${log}: ${step} ${describe(done, total, (now - since) / 1000)}`;
    write(isTerminal ? `${CLEAR_LINE}${bar(done, total)} ${text}` : `${text}\n`);
  };
  return { progress, done: () => void (isTerminal && write(CLEAR_LINE)) };
}

function bar(done: bigint, total: bigint): string {
  const full = Math.round((Number(done) / Math.max(1, Number(total))) * WIDTH);
  return `${"█".repeat(full)}${"░".repeat(WIDTH - full)}`;
}

function describe(done: bigint, total: bigint, seconds: number): string {
  const rate = seconds > 0 ? Number(done) / seconds : 0;
  const left = rate > 0 ? `, ${Math.ceil(Number(total - done) / rate)} s left` : "";
  return `${done.toLocaleString("en")} of ${total.toLocaleString("en")}, ${Math.round(rate).toLocaleString("en")}/s${left}`;
}
