import { type ChanceryOptions, type ChanceryProcess, startChancery } from "@chancery/testing";
import { CYCLONEDX, PROVENANCE, type SignedBundle, signFile, signStatement, SPDX } from "./signatures.ts";

/** A stack with a few real signatures of each kind in both logs. */
export interface ExplorerWorld extends AsyncDisposable {
  readonly stack: ChanceryProcess;
  readonly file: Buffer;
  /** What the client wrote for `file` when it was signed, in either generation of the log. */
  readonly bundles: { readonly v1: SignedBundle; readonly v2: SignedBundle };
}

export async function explorerWorld(options: ChanceryOptions = {}): Promise<ExplorerWorld> {
  const stack = await startChancery(options);
  const file = Buffer.from("a file that was signed\n");
  const bundles = {
    v1: await signFile(stack, file, { email: "release@example.com", log: 1 }),
    v2: await signFile(stack, file, { email: "release@example.com", log: 2 }),
  };
  for (const statement of [PROVENANCE, SPDX, CYCLONEDX]) {
    await signStatement(stack, statement, { email: "release@example.com", log: 1 });
  }
  await signStatement(stack, PROVENANCE, { email: "ci@example.com", log: 2 });
  await signFile(stack, Buffer.from("another file\n"), { log: 2 });
  await refusedRequest(stack.url);
  return { stack, file, bundles, [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose]() };
}

/** So that there is a refusal to look at. */
async function refusedRequest(url: string): Promise<void> {
  const body = JSON.stringify({ credentials: { oidcIdentityToken: "eyJhbGciOiJub25lIn0.e30." } });
  await fetch(`${url}/api/v2/signingCert`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
}
