import { createHash } from "node:crypto";
import { ephemeralSigner } from "@chancery/crypto";
import { aCertificate, anArtifact, aStatement, dsse, hashedrekord, intoto2 } from "./proposals.ts";
import { hashedRekordRequest, newKey } from "./running-rekor-v2.ts";
import type { RunningSearch } from "./running-search.ts";

export const hexOf = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");
const DAY = 86_400_000;
export const WORKFLOW = "https://github.com/Owner/Repo/.github/workflows/ci.yml@refs/heads/main";
export const GITHUB = "https://token.actions.githubusercontent.com";

/** One entry of each sort, a day apart: what the tests below look for. */
export async function seed(rekor: RunningSearch) {
  const key = ephemeralSigner("ecdsa-p256");
  const [first, second] = [anArtifact(), anArtifact()];
  const person = await aCertificate([{ type: "email", value: "Someone@mail.Example.com" }], {
    issuer: "https://accounts.example.com",
  });
  const workload = await aCertificate([{ type: "url", value: WORKFLOW }], {
    issuer: GITHUB,
    "source-repository-uri": "https://github.com/Owner/Repo",
    "source-repository-ref": "refs/heads/main",
    "build-trigger": "push",
    "github-workflow-repository": "Owner/Repo",
  });
  const v2Key = newKey();
  await rekor.logged(await hashedrekord({ signer: key, artifact: first }));
  rekor.clock.now += DAY;
  await rekor.logged(await hashedrekord({ ...person, verifier: person.leaf, artifact: second }));
  rekor.clock.now += DAY;
  const statement = aStatement("ab".repeat(32), { materials: [{ digest: { sha1: "cd".repeat(20) } }] });
  await rekor.logged(await dsse({ signers: [workload.signer], verifiers: [workload.leaf], payload: statement }));
  rekor.clock.now += DAY;
  await rekor.loggedV2(hashedRekordRequest("v2", v2Key));
  rekor.clock.now += DAY;
  await rekor.logged(await intoto2(key, aStatement("ef".repeat(32))));
  rekor.clock.now += DAY;
  return { key, first, second, person, workload, v2Key };
}
