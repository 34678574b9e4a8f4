// One line per long step, on stderr: alive with a clock on a terminal, plain elsewhere.

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;

/** Runs `work` and shows that it runs. A step that ends within `quietBelowMs` shows nothing. */
export async function step(what, work, { quietBelowMs = 0 } = {}) {
  const started = performance.now();
  const stop = process.stderr.isTTY ? spin(what, started, quietBelowMs) : announce(what, quietBelowMs);
  try {
    await work();
  } finally {
    stop();
  }
  const took = performance.now() - started;
  if (took >= quietBelowMs) process.stderr.write(`chancery: ${what} took ${seconds(took)}\n`);
}

function spin(what, started, quietBelowMs) {
  let frame = 0;
  const timer = setInterval(() => {
    const elapsed = performance.now() - started;
    if (elapsed < quietBelowMs) return;
    frame = (frame + 1) % FRAMES.length;
    process.stderr.write(`\r\u001b[2K${FRAMES[frame]} ${what} … ${seconds(elapsed)}`);
  }, FRAME_MS);
  return () => {
    clearInterval(timer);
    process.stderr.write("\r\u001b[2K");
  };
}

function announce(what, quietBelowMs) {
  const timer = setTimeout(() => process.stderr.write(`chancery: ${what} …\n`), quietBelowMs);
  return () => clearTimeout(timer);
}

function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`;
}
