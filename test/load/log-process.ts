import { inFlight } from "./in-flight.ts";
import { newEntry, openLog } from "./log-node.ts";

/**
 * One of several processes on one log: says `ready`, waits for a line, appends for its time, says how many and at how
 * many microseconds of CPU, and ends with its input.
 */
const [url = "", anchors = "", keyFile = "", keys = "", clients = "1", seconds = "1"] = process.argv.slice(2);
const site = { url, anchors, keyFile, keys: Number(keys) };
await using node = await openLog(site);
const { log } = node;
// As many entries and not as much time: of four, each would be compiled a quarter as well as one.
await inFlight(Number(clients), { count: 8_000 }, () => log.append(newEntry(site.keys)));
process.stdout.write("ready\n");
process.stdin.once("data", () => {
  const before = process.cpuUsage();
  void inFlight(Number(clients), { seconds: Number(seconds) }, () => log.append(newEntry(site.keys))).then(
    ({ count }) => {
      const { user, system } = process.cpuUsage(before);
      process.stdout.write(`${count} ${user + system}\n`);
    },
  );
});
process.stdin.once("end", () => process.exit());
await new Promise(() => {});
