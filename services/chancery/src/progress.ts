/** What a long start is doing: one living line on a terminal, plain lines elsewhere. */
export interface Progress {
  step(text: string): void;
  /** Leaves the terminal as if nothing had been shown. */
  done(): void;
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;
const CLEAR_LINE = "\r\u001b[2K";

interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export function showProgress(to: Terminal): Progress {
  if (to.isTTY !== true) return { step: (text) => to.write(`chancery: ${text}\n`), done: () => {} };
  let [current, frame, since] = ["", 0, 0];
  const draw = () => {
    frame = (frame + 1) % FRAMES.length;
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    if (current !== "") to.write(`${CLEAR_LINE}${FRAMES[frame]} ${current} … ${seconds} s`);
  };
  const timer = setInterval(draw, FRAME_MS);
  return {
    step: (text) => {
      [current, since] = [text, performance.now()];
      draw();
    },
    done: () => {
      clearInterval(timer);
      to.write(CLEAR_LINE);
    },
  };
}
