import { readFile, writeFile } from "node:fs/promises";
import {
  type ChanceryProcess,
  type ClientHome,
  clientHome,
  type FakeIssuer,
  needClients,
  startChancery,
  startFakeIssuer,
} from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

type Cosign = "cosign-2" | "cosign-3";

const { missing, reason } = needClients("cosign-2", "cosign-3");

describe.skipIf(missing)(`what must not pass does not pass, for the right reason${reason}`, () => {
  let stack: ChanceryProcess;
  let issuer: FakeIssuer;
  let stranger: FakeIssuer;
  let homes: Record<Cosign, ClientHome>;
  let configuration: ClientHome;

  beforeAll(async () => {
    [issuer, stranger, configuration] = await Promise.all([startFakeIssuer(), startFakeIssuer(), clientHome()]);
    // The two keep their TUF state in the same place in ways that differ.
    homes = { "cosign-2": await clientHome(), "cosign-3": await clientHome() };
    const config = await configuration.write(
      "config.yaml",
      `oidc-issuers:\n  ${issuer.url}:\n    issuer-url: ${issuer.url}\n    client-id: sigstore\n    type: email\n`,
    );
    stack = await startChancery({ args: ["--config", config] });
    for (const client of ["cosign-2", "cosign-3"] as const) {
      await homes[client].run(client, "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
    }
  });
  afterAll(async () => {
    await Promise.all(
      [stack, issuer, stranger, ...Object.values(homes), configuration].map((part) => part?.[Symbol.asyncDispose]()),
    );
  });

  const services = (client: Cosign) =>
    client === "cosign-2" ? [`--fulcio-url=${stack.url}`, `--rekor-url=${stack.url}`] : [];
  const signArgs = (client: Cosign, name: string, token: string) => [
    "sign-blob",
    "--yes",
    ...services(client),
    `--identity-token=${token}`,
    `--bundle=${homes[client].path(`${name}.bundle`)}`,
    homes[client].path(name),
  ];
  /** Of both logs: cosign 2 writes to the one, cosign 3 to the other. */
  const treeSizes = async () => {
    const v2 = await (await fetch(`${stack.url}/api/v2/checkpoint`)).text();
    return [(await stack.logState()).treeSize, Number(v2.split("\n")[1])];
  };
  const verifyArgs = (client: Cosign, name: string, identity = "dev@example.com", from = issuer.url) => [
    "verify-blob",
    `--bundle=${homes[client].path(`${name}.bundle`)}`,
    `--certificate-identity=${identity}`,
    `--certificate-oidc-issuer=${from}`,
    homes[client].path(name),
  ];
  const signed = async (client: Cosign, name: string) => {
    await homes[client].write(name, `the file ${name}`);
    await homes[client].run(client, ...signArgs(client, name, await issuer.token()));
    await homes[client].run(client, ...verifyArgs(client, name));
  };

  describe.for(["cosign-2", "cosign-3"] as const)("%s", (client) => {
    test("refuses another identity", async () => {
      await signed(client, `identity-${client}`);
      const refused = await homes[client].refuse(
        client,
        ...verifyArgs(client, `identity-${client}`, "mallory@example.com"),
      );
      expect(refused.stderr).toMatch(/none of the expected identities matched|no matching CertificateIdentity/);
    });

    test("refuses another issuer", async () => {
      await signed(client, `issuer-${client}`);
      const refused = await homes[client].refuse(
        client,
        ...verifyArgs(client, `issuer-${client}`, "dev@example.com", "https://other.example.com"),
      );
      expect(refused.stderr).toMatch(/none of the expected identities matched|no matching CertificateIdentity/);
    });

    test("refuses a file that was changed after it was signed", async () => {
      await signed(client, `artifact-${client}`);
      await homes[client].write(`artifact-${client}`, "something else");
      const refused = await homes[client].refuse(client, ...verifyArgs(client, `artifact-${client}`));
      expect(refused.stderr).toMatch(/invalid signature|could not verify|matching bundle to payload/i);
    });

    test("refuses a bundle in which the log's word for it was changed", async () => {
      const name = `bundle-${client}`;
      await signed(client, name);
      const path = homes[client].path(`${name}.bundle`);
      await writeFile(path, tamper(await readFile(path, "utf8")));
      const refused = await homes[client].refuse(client, ...verifyArgs(client, name));
      expect(refused.stderr).toMatch(/SET|signed entry timestamp|log entr|bundle|inclusion/i);
    });

    test.for([
      ["an expired token", { exp: Math.floor(Date.now() / 1000) - 60 }],
      ["a token for another audience", { aud: "somebody-else" }],
      ["a token that claims an issuer nobody configured", { iss: "https://unknown.example.com" }],
    ] as const)("gets no certificate for %s", async ([_what, claims]) => {
      const sizes = await treeSizes();
      await homes[client].write("refused", "never signed");
      const refused = await homes[client].refuse(client, ...signArgs(client, "refused", await issuer.token(claims)));
      expect(refused.stderr).toMatch(/There was an error processing the identity token|expired/);
      expect(await treeSizes()).toEqual(sizes);
    });

    test("gets no certificate for a token of an unknown issuer, and the issuer is not asked", async () => {
      await homes[client].write("unknown", "never signed");
      const refused = await homes[client].refuse(client, ...signArgs(client, "unknown", await stranger.token()));
      expect(refused.stderr).toMatch(/There was an error processing the identity token/);
      expect(stranger.requests).toEqual([]);
    });
  });

  test("a configured stack has no development identity provider", async () => {
    expect((await fetch(`${stack.url}/idp/token?email=dev@example.com`)).status).toBe(404);
    expect((await fetch(`${stack.url}/idp/.well-known/openid-configuration`)).status).toBe(404);
  });
});

/** Flips one character inside the log's promise, or inside its checkpoint's signature where it gives no promise. */
function tamper(bundle: string): string {
  const promise = bundle.replace(/("(?:SignedEntryTimestamp|signedEntryTimestamp)":\s*"[^"]{20})(.)/, flip);
  const changed = promise === bundle ? bundle.replace(/("envelope":\s*"[^"]*)(.)(?=.{10}\\n")/, flip) : promise;
  if (changed === bundle) throw new Error("nothing of the log in the bundle");
  return changed;
}

function flip(_all: string, before: string, character: string): string {
  return before + (character === "A" ? "B" : "A");
}
