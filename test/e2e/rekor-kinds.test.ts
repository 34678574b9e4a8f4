import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  type ChanceryProcess,
  type ClientHome,
  clientHome,
  findClient,
  needClients,
  startChancery,
} from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const { missing, reason } = needClients("rekor-cli");

/** A proposal of services/rekor/test/kinds, and the UUID that upstream's own code gives it. */
interface Sample {
  readonly name: string;
  readonly uuid: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- every kind has a shape of its own.
  readonly proposed: { readonly kind: string; readonly spec: any };
}

/** Those that cosign does not make; hashedrekord, dsse and intoto have files of their own. */
const KINDS = ["rekord", "rfc3161", "cose", "jar", "alpine", "helm", "rpm", "tuf"];
const FOLDER = join(import.meta.dirname, "../../services/rekor/test/kinds");
const samples = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .flatMap((name): Sample[] => JSON.parse(readFileSync(join(FOLDER, name), "utf8")).slice(0, 2))
  .filter(({ proposed }) => KINDS.includes(proposed.kind));

interface Files {
  readonly format: string | undefined;
  readonly artifact: string;
  readonly key?: string;
  readonly signature?: string;
  readonly aad?: string;
}

/** What rekor-cli is to be given to propose the same, in base64. */
function filesOf({ kind, spec }: Sample["proposed"]): Files {
  switch (kind) {
    case "rekord":
      return {
        format: spec.signature.format,
        artifact: spec.data.content,
        key: spec.signature.publicKey.content,
        signature: spec.signature.content,
      };
    case "rpm":
      return { format: "pgp", artifact: spec.package.content, key: spec.publicKey.content };
    case "alpine":
      return { format: "x509", artifact: spec.package.content, key: spec.publicKey.content };
    case "helm":
      return { format: "pgp", artifact: spec.chart.provenance.content, key: spec.publicKey.content };
    case "jar":
      return { format: undefined, artifact: spec.archive.content };
    case "rfc3161":
      return { format: undefined, artifact: spec.tsr.content };
    case "cose":
      return { format: "x509", artifact: spec.message, key: spec.publicKey, aad: spec.data.aad };
    case "tuf":
      return { format: "tuf", artifact: asBase64(spec.metadata.content), key: asBase64(spec.root.content) };
    default:
      throw new Error(`no files for ${kind}`);
  }
}

const named = (some: readonly Sample[]) =>
  some.map((sample): [string, Sample] => [`${sample.proposed.kind} (${sample.name})`, sample]);

/** Debian builds rekor-cli without some kinds: it says itself with which. */
const spoken = new Set(KINDS.filter((kind) => help().includes(`${kind}:0.0.1`)));

function help(): string {
  const client = findClient("rekor-cli");
  return client === undefined ? "" : execFileSync(client, ["upload", "--help"]).toString();
}

const asBase64 = (content: unknown) =>
  typeof content === "string" ? content : Buffer.from(JSON.stringify(content)).toString("base64");

describe.skipIf(missing)(`rekor-cli and every kind of entry${reason}`, () => {
  let stack: ChanceryProcess;
  let home: ClientHome;

  beforeAll(async () => {
    [stack, home] = await Promise.all([startChancery(), clientHome()]);
  });
  afterAll(async () => {
    await Promise.all([stack, home].map((part) => part?.[Symbol.asyncDispose]()));
  });

  const rekor = (...args: string[]) => home.run("rekor-cli", ...args, `--rekor_server=${stack.url}`);
  const write = (name: string, base64: string) => home.write(name, Buffer.from(base64, "base64"));

  const post = async (path: string, body: object) => {
    const answer = await fetch(`${stack.url}/api/v1/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
  };

  async function argumentsFor(proposed: Sample["proposed"]): Promise<{ entry: string[]; key: string[] }> {
    const { format, artifact, key, signature, aad } = filesOf(proposed);
    const name = randomBytes(8).toString("hex");
    const keyArguments =
      key === undefined
        ? []
        : [
            `--public-key=${await write(`${name}.key`, key)}`,
            ...(format === undefined ? [] : [`--pki-format=${format}`]),
          ];
    return {
      key: keyArguments,
      entry: [
        `--type=${proposed.kind}`,
        `--artifact=${await write(`${name}.artifact`, artifact)}`,
        ...(signature === undefined ? [] : [`--signature=${await write(`${name}.sig`, signature)}`]),
        ...(aad === undefined ? [] : [`--aad=${aad}`]),
        ...keyArguments,
      ],
    };
  }

  test.for(named(samples.filter(({ proposed }) => spoken.has(proposed.kind))))(
    "uploads a %s, verifies it and finds it",
    async ([, { proposed, uuid }]) => {
      const { entry, key } = await argumentsFor(proposed);
      const uploaded = await rekor("upload", ...entry);
      // The client verifies timestamp, inclusion and checkpoint before it says so.
      expect(uploaded.stdout).toContain("Created entry at index");
      const id = /entries\/([0-9a-f]{80})/.exec(uploaded.stdout)?.[1];
      expect(id?.slice(16)).toBe(uuid);
      expect((await rekor("verify", ...entry)).stdout).toContain(uuid);
      expect((await rekor("upload", ...entry)).stdout).toContain("Entry already exists");
      expect(JSON.parse((await rekor("get", `--uuid=${id}`, "--format=json")).stdout).UUID).toBe(id);
      if (key.length > 0) expect((await rekor("search", ...key)).stdout).toContain(id);
    },
  );

  test.for(named(samples.filter(({ proposed }) => !spoken.has(proposed.kind))))(
    "does not speak %s, which is logged and found over HTTP",
    async ([, { proposed, uuid }]) => {
      const created = await post("log/entries", proposed);
      expect(created.status, JSON.stringify(created.json)).toBe(201);
      const [id = ""] = Object.keys(created.json);
      expect(id.slice(16)).toBe(uuid);
      const { format, key: content } = filesOf(proposed);
      expect((await post("index/retrieve", { publicKey: { format, content } })).json).toContain(id);
    },
  );

  test("what rekor-cli signs with a fresh SSH key, as a person does, is logged", async () => {
    const file = await home.write("artifact", randomBytes(64));
    await promisify(execFile)("ssh-keygen", [
      "-q",
      "-t",
      "ed25519",
      "-N",
      "",
      "-C",
      "me@example.com",
      "-f",
      home.path("id"),
    ]);
    await promisify(execFile)("ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", home.path("id"), file]);
    const entry = ["--type=rekord", "--pki-format=ssh", `--public-key=${home.path("id.pub")}`];
    await rekor("upload", ...entry, `--artifact=${file}`, `--signature=${file}.sig`);
    expect((await rekor("search", "--email=me@example.com")).stdout).toMatch(/[0-9a-f]{80}/);
  });
});
