import { execFileSync, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChanceryProcess, type ClientHome, clientHome, needClients, startChancery } from "@chancery/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const MAIN = join(import.meta.dirname, "../../services/chancery/dist/main.js");
const CLIENTS = ["cosign-2", "cosign-3"] as const;
type Cosign = (typeof CLIENTS)[number];

const { missing, reason } = needClients(...CLIENTS);
const noOpenssl = spawnSync("openssl", ["version"]).status !== 0;

/** Both machines: `data` is the online one's, `usb` goes between, `vault` never leaves the offline one. */
let folder: string;
let [data, usb, vault] = ["", "", ""];
let homes: Record<Cosign, ClientHome>;
let stack: ChanceryProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "offline-root-"));
  [data, usb, vault] = [join(folder, "data"), join(folder, "usb"), join(folder, "vault")];
  await Promise.all([usb, vault].map((name) => mkdir(name)));
  homes = { "cosign-2": await clientHome(), "cosign-3": await clientHome() };
  stack = undefined;
});
afterEach(async () => {
  await Promise.all([stack, homes["cosign-2"], homes["cosign-3"]].map(async (part) => part?.[Symbol.asyncDispose]()));
  await rm(folder, { recursive: true, force: true });
});

function chancery(args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const { PATH = "", HOME = "" } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    env: { PATH, HOME, ...env },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`chancery ${args.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}
const fingerprint = (out: string) => /SHA-256: ([0-9a-f]{64})/.exec(out)![1]!;
const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: vault, stdio: "pipe" });

/** As the page has it, from the offline machine. */
const shell = (script: string) =>
  execFileSync("bash", ["-euo", "pipefail", "-c", script], { cwd: vault, encoding: "utf8", stdio: "pipe" });

/** The page lets openssl ask for the passphrase. */
const unattended = (script: string) =>
  script
    .replaceAll("openssl pkcs8 -topk8", "openssl pkcs8 -topk8 -passout pass:ceremony")
    .replaceAll("openssl req -new -x509", "openssl req -new -x509 -passin pass:ceremony")
    .replaceAll("openssl x509 -req", "openssl x509 -req -passin pass:ceremony");

async function start(port?: number): Promise<ChanceryProcess> {
  stack = await startChancery({ data, ...(port === undefined ? {} : { port }) });
  return stack;
}

async function initialize({ url }: ChanceryProcess): Promise<void> {
  for (const client of CLIENTS) {
    await homes[client].run(client, "initialize", `--mirror=${url}/tuf`, `--root=${url}/tuf/root.json`);
  }
}

/** Signs a file with each client under what it knows from TUF. */
async function sign(running: ChanceryProcess, name: string): Promise<void> {
  for (const client of CLIENTS) {
    const urls = client === "cosign-2" ? [`--fulcio-url=${running.url}`, `--rekor-url=${running.url}`] : [];
    const file = await homes[client].write(name, `the file ${name}`);
    const args = [
      ...urls,
      `--identity-token=${await running.token()}`,
      `--bundle=${homes[client].path(`${name}.json`)}`,
    ];
    await homes[client].run(client, "sign-blob", "--yes", ...args, file);
  }
}

async function verify({ url }: ChanceryProcess, name: string): Promise<void> {
  const identity = ["--certificate-identity=dev@example.com", `--certificate-oidc-issuer=${url}/idp`];
  const trusted = await (await fetch(`${url}/trust/trusted_root.json`)).text();
  for (const client of CLIENTS) {
    const [bundle, file] = [`--bundle=${homes[client].path(`${name}.json`)}`, homes[client].path(name)];
    await homes[client].run(client, "verify-blob", bundle, ...identity, file);
    if (client === "cosign-2") continue;
    const root = `--trusted-root=${await homes[client].write("trusted_root.json", trusted)}`;
    await homes[client].run(client, "verify-blob", root, bundle, ...identity, file);
  }
}

const chains = async ({ url }: ChanceryProcess) => {
  const trusted = (await (await fetch(`${url}/trust/trusted_root.json`)).json()) as {
    certificateAuthorities: {
      certChain: { certificates: { rawBytes: string }[] };
      validFor: { start: string; end?: string };
    }[];
  };
  return trusted.certificateAuthorities.map(({ certChain, validFor }) => ({
    root: certChain.certificates.at(-1)!.rawBytes,
    closed: validFor.end !== undefined,
  }));
};

/** On the root's machine, with Chancery. */
async function ceremony(request: string, out: string, key: string): Promise<void> {
  const secret = { CHANCERY_ROOT_PASSPHRASE: "a passphrase of the ceremony" };
  await writeFile(join(usb, "request.csr"), await readFile(join(data, "certificates", request)));
  const paths = [`--root-folder=${vault}`, `--request=${join(usb, "request.csr")}`, `--out=${join(usb, out)}`];
  chancery(["sign-intermediate", ...paths, `--key=${key}`, "--organization=Example"], secret);
}

describe.skipIf(missing)(`an intermediate below an offline root, with stock clients${reason}`, () => {
  test("made and renewed with Chancery on the root's machine", async () => {
    const asked = chancery(["init", "--offline-root", `--data=${data}`, "--url=http://localhost"]);
    await ceremony("fulcio.csr", "chain.pem", fingerprint(asked));
    chancery(["init", `--data=${data}`, `--certificate=${join(usb, "chain.pem")}`]);
    const first = await start();
    await initialize(first);
    await sign(first, "before");
    await verify(first, "before");
    await first.stop();

    const renewed = chancery(["init", "--offline-root", "--renew", `--data=${data}`]);
    await ceremony("fulcio-2.csr", "chain-2.pem", fingerprint(renewed));
    chancery(["init", `--data=${data}`, `--certificate=${join(usb, "chain-2.pem")}`]);
    await rm(join(data, "keys", "fulcio-intermediate.pem"));
    const second = await start(first.port);
    await initialize(second);
    await sign(second, "after");
    await verify(second, "after");
    await verify(second, "before");
    const trusted = await chains(second);
    expect(trusted.map(({ closed }) => closed)).toEqual([true, false]);
    expect(trusted[0]!.root).toBe(trusted[1]!.root);
  });

  test("announced and issuing later: clients that saw it meanwhile need not be told", async () => {
    const asked = chancery(["init", "--offline-root", `--data=${data}`, "--url=http://localhost"]);
    await ceremony("fulcio.csr", "chain.pem", fingerprint(asked));
    chancery(["init", `--data=${data}`, `--certificate=${join(usb, "chain.pem")}`]);
    const first = await start();
    await first.stop();
    const renewed = chancery(["init", "--offline-root", "--renew", `--data=${data}`]);
    await ceremony("fulcio-2.csr", "chain-2.pem", fingerprint(renewed));
    const given = ["init", `--data=${data}`, `--certificate=${join(usb, "chain-2.pem")}`];
    chancery([...given, "--announce"]);
    const announced = await start(first.port);
    await initialize(announced);
    await sign(announced, "meanwhile");
    await verify(announced, "meanwhile");
    expect((await chains(announced)).map(({ closed }) => closed)).toEqual([false, false]);
    await announced.stop();
    chancery(given);
    const second = await start(first.port);
    await sign(second, "after");
    await verify(second, "after");
    await verify(second, "meanwhile");
    expect((await chains(second)).map(({ closed }) => closed)).toEqual([true, false]);
  });

  test.skipIf(noOpenssl)(
    "made with the openssl commands of docs/offline-root.md (skipped without openssl)",
    async () => {
      const page = await readFile(join(import.meta.dirname, "../../docs/offline-root.md"), "utf8");
      const blocks = page
        .slice(page.indexOf("### With openssl"), page.indexOf("### With another CA"))
        .matchAll(/```sh\n([^]*?)```/g);
      const [makeRoot, showKey, signIt] = [...blocks].map(([, block]) => block!);
      const asked = chancery(["init", "--offline-root", `--data=${data}`, "--url=http://localhost"]);
      await writeFile(join(vault, "fulcio.csr"), await readFile(join(data, "certificates", "fulcio.csr")));
      shell(unattended(makeRoot!));
      expect(shell(showKey!)).toContain(fingerprint(asked));
      shell(unattended(signIt!));
      expect(openssl("verify", "-x509_strict", "-CAfile", "root.pem", "intermediate.pem").toString()).toContain("OK");
      chancery(["init", `--data=${data}`, `--certificate=${join(vault, "chain.pem")}`]);
      const running = await start();
      await initialize(running);
      await sign(running, "openssl");
      await verify(running, "openssl");
    },
  );
});

const without = reason || (noOpenssl ? " [left out: no openssl]" : "");

describe.skipIf(missing || noOpenssl)(`a CA in files of the operator's, with stock clients${without}`, () => {
  test.for([
    ["P-384", "EC -pkeyopt ec_paramgen_curve:P-384"],
    ["P-521", "EC -pkeyopt ec_paramgen_curve:P-521"],
    ["RSA 3072", "RSA -pkeyopt rsa_keygen_bits:3072"],
    ["Ed25519", "ED25519"],
  ] as const)("with a key of %s, encrypted", async ([, algorithm]) => {
    const [key, chain] = [join(vault, "ca.key"), join(vault, "ca.pem")];
    openssl("ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "root.key");
    const subject = ["-subj", "/O=Example/CN=Example root", "-days", "30"];
    openssl("req", "-new", "-x509", "-key", "root.key", ...subject, "-out", "root.pem");
    openssl(
      "genpkey",
      "-algorithm",
      ...algorithm.split(" "),
      "-aes-256-cbc",
      "-pass",
      "pass:brought along",
      "-out",
      key,
    );
    const request = ["-key", key, "-passin", "pass:brought along", "-subj", "/O=Example/CN=Example issuing"];
    openssl("req", "-new", ...request, "-out", "ca.csr");
    await writeFile(
      join(vault, "ext"),
      "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nextendedKeyUsage=codeSigning\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    );
    const by = ["-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "20", "-extfile", "ext"];
    openssl("x509", "-req", "-in", "ca.csr", ...by, "-out", "issuing.pem");
    await writeFile(
      chain,
      (await readFile(join(vault, "issuing.pem"))) + String(await readFile(join(vault, "root.pem"))),
    );
    await writeFile(join(vault, "passphrase"), "brought along\n", { mode: 0o600 });
    const named = { CHANCERY_CA_KEY: key, CHANCERY_CA_CHAIN: chain };
    stack = await startChancery({
      data,
      env: { ...named, CHANCERY_CA_PASSPHRASE_FILE: join(vault, "passphrase") },
    });
    await initialize(stack);
    await sign(stack, "file");
    await verify(stack, "file");
    expect(stack.output()).not.toContain("brought along");
    const ready = await (await fetch(`${stack.url}/readyz`)).json();
    expect(ready).toMatchObject({ status: "ready", warnings: [{ service: "fulcio" }] });
  });
});
