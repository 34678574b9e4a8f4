import { encodeHex } from "@chancery/encoding";
import { loadKeyFile } from "@chancery/crypto";
import { Database } from "@chancery/postgres";
import { FileAnchor, PostgresLogStore } from "../src/index.ts";
import { newEntry, RememberingSigner, World } from "./world.ts";

/**
 * A process that appends as fast as it can until it is killed. Says `signed` before a signature leaves the
 * key, and `acked` once an append is answered: each a line, each written at once.
 */
const [url = "", anchors = "", keyFile = "", run = ""] = process.argv.slice(2);
const signer = new RememberingSigner("killed.example", await loadKeyFile(keyFile));
const loud = {
  origin: signer.origin,
  keyId: signer.keyId,
  sign: async (head: { size: bigint; root: Uint8Array }) => {
    process.stdout.write(`signed ${head.size} ${encodeHex(head.root)}\n`);
    return await signer.sign(head);
  },
  verify: (note: Uint8Array) => signer.verify(note),
};
const store = await PostgresLogStore.open(await Database.open(url, { max: 4 }));
const world = new World({ name: "killed", store, anchor: await FileAnchor.open(anchors, "killed"), signer });
const log = await world.start({ signer: loud, create: run === "0" });
process.stdout.write(`ready ${(await log.readiness()) ?? ""}\n`);

async function client(number: number): Promise<void> {
  for (let at = 0; ; at++) {
    const name = `${run}-${number}-${at}`;
    const { entry } = await log.append(newEntry(name));
    process.stdout.write(`acked ${entry.index} ${name}\n`);
  }
}
await Promise.all(Array.from({ length: 24 }, (_, number) => client(number)));
