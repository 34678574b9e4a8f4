import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chancery } from "./export-world.ts";
import { TamperedStack } from "./tampered-stack.ts";

const CERTIFICATES = 3;

let folder: string;
let world: TamperedStack;
let made = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "export-certificates-"));
  world = await TamperedStack.start({ data: join(folder, "data") });
  for (let at = 0; at < CERTIFICATES; at++) await world.issue(1);
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

async function exported(...flags: string[]) {
  const name = `certificates-${++made}`;
  const file = join(folder, name);
  const { code, out, err } = await chancery(
    "export",
    "certificates",
    "--out",
    file,
    "--data",
    world.stack.data,
    ...flags,
  );
  const left = (await readdir(folder)).filter((one) => one.startsWith(name));
  return { file, code, out, err, left: left.map((one) => one.slice(name.length)).toSorted() };
}

test.for([
  ["san", "san", "'evil@example.com'"],
  ["san_type", "san", "'uri'"],
  ["time", "time", "time - 60000"],
  ["issuer", "issuer", "'https://other.example.com'"],
  ["subject", "subject", "'somebody else'"],
] as const)(
  "a row with a %s that its certificate denies is told, and not signed for",
  async ([column, member, value]) => {
    const [row] = await world.owner.query<{ honest: string }>(
      `SELECT ${column}::text AS honest FROM fulcio.certificate WHERE ct_index = 1`,
    );
    await world.run([[`UPDATE fulcio.certificate SET ${column} = ${value} WHERE ct_index = 1`]]);
    const { code, err, left } = await exported();
    const told = await fetch(`${world.stack.url}/api/chancery/v1/certificates`);
    const back = column === "time" ? "$1::text::bigint" : "$1";
    await world.run([[`UPDATE fulcio.certificate SET ${column} = ${back} WHERE ct_index = 1`, row?.honest]]);
    expect([code, err]).toEqual([1, expect.stringContaining(`has another ${member} than the certificate`)]);
    expect(left).toEqual([".part", ".state"]);
    const { results } = (await told.json()) as { results: { contradicts?: string }[] };
    expect(results.flatMap(({ contradicts = [] }) => contradicts)).toEqual([member]);
  },
);
