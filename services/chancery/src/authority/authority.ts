import { access } from "node:fs/promises";
import { join } from "node:path";
import { loadKeyFile, type Signer } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import { type Certificate, reviewEnd } from "@chancery/x509";
import { chainFingerprint, readChain, requireIssuing, requireSameRoot, writeChain } from "./chain-file.ts";
import {
  begun,
  type Generation,
  type Generations,
  issuing,
  readGenerations,
  released,
  succeeded,
  writeGenerations,
} from "./generations.ts";
import type { LoadedAuthority } from "./own-files.ts";

/** Fulcio's authority: what issues now, and every chain that ever did. */
export interface Authority {
  /** The issuing certificate first, its root last. */
  readonly chain: readonly Certificate[];
  readonly signer: Signer;
  /** Oldest first; after the issuing one there may be one that waits for its time. */
  readonly generations: readonly TrustedChain[];
}

export interface TrustedChain {
  readonly chain: readonly Certificate[];
  readonly validFor: { readonly start: Date; readonly end?: Date };
}

/** How long a certificate that was just issued may still be signed with. */
const LEAF_LIFE_MS = 10 * 60_000;

/** Names of what is made with the installation. */
export const FIRST = { name: "fulcio", key: "fulcio-intermediate" } as const;

/**
 * The authority as it stands, for one who is about to issue: the newest chain's window is opened now if it has not been.
 * Key and chain are held against each other as upstream does, and against the clock. MUST be called under the
 * installation's lock.
 */
export async function openAuthority(options: {
  readonly directory: string;
  /** Of the installation: from then on the chain counts that was made with it. */
  readonly created: Date;
  /** The operator's own; they follow what was there before if they are new. */
  readonly files?: LoadedAuthority | undefined;
  readonly now: Date;
}): Promise<Authority> {
  const { directory, created, files, now } = options;
  if (files !== undefined) await adoptFiles(directory, created, files);
  const before = await currentGenerations(directory, created);
  const current = issuing(before);
  if (current === undefined) throw awaited(directory, before);
  const path = certificatePath(directory, current.name);
  const chain = await loadChain(directory, current);
  const signer = files?.signer ?? (await ownSigner(directory, current));
  // One that is not valid yet is a clock not yet set: it issues nothing and says so, and need not be started again.
  requireIssuing(path, chain, signer.publicKey.spki, reviewEnd(chain, now));
  const second = new Date(Math.floor(now.getTime() / 1000) * 1000);
  const state = begun(before, second, LEAF_LIFE_MS);
  if (JSON.stringify(state) !== JSON.stringify(before)) await writeGenerations(directory, state);
  const generations = await Promise.all(state.generations.map((one) => trusted(directory, one, created)));
  return { chain, signer, generations };
}

/** What `authority.json` says, or would say of an installation from before it was written. */
export async function currentGenerations(directory: string, created: Date): Promise<Generations> {
  const found = await readGenerations(directory);
  if (found !== undefined) return found;
  const chain = chainFingerprint(await readChain(certificatePath(directory, FIRST.name)));
  return { generations: [{ ...FIRST, chain, from: created.toISOString() }] };
}

/** Records the operator's own chain unless it is there already. True if that changes anything. */
export async function adoptFiles(
  directory: string,
  created: Date,
  { path, chain }: LoadedAuthority,
  { mayChangeRoot = false, waits = false } = {},
): Promise<boolean> {
  return follow({ directory, created, path, chain, key: null, mayChangeRoot, waits });
}

/**
 * Puts a chain that was reviewed after those that are there, from the next start on; or, if it is there and waits, lets it
 * issue. False if there is nothing to be done.
 */
export async function follow(next: {
  readonly directory: string;
  readonly created: Date;
  /** As complaints name it. */
  readonly path: string;
  readonly chain: readonly Certificate[];
  readonly key: string | null;
  readonly mayChangeRoot: boolean;
  /** To be published only, until the same chain is given once more without. */
  readonly waits: boolean;
}): Promise<boolean> {
  const { directory, path, chain, key, waits } = next;
  const state = await currentGenerations(directory, next.created);
  const fingerprint = chainFingerprint(chain);
  const known = state.generations.findLast((one) => one.chain === fingerprint && one.key === key);
  const current = issuing(state);
  if (known?.waits === true && !waits) {
    await writeGenerations(directory, released(state));
    return true;
  }
  if (known !== undefined && (known === current || known.waits === true)) return false;
  if (known !== undefined) {
    throw new Misconfigured(path, `was replaced, and is trusted until ${known.until ?? "its successor begins"} only`);
  }
  if (waits && current === undefined)
    throw new Misconfigured("--announce", "no chain is there that could go on issuing");
  if (current !== undefined && !next.mayChangeRoot) requireSameRoot(path, chain, await loadChain(directory, current));
  const name = state.pending?.key === key && key !== null ? state.pending.name : await freeName(directory, state);
  await writeChain(
    certificatePath(directory, name),
    chain.map(({ der }) => der),
  );
  await writeGenerations(directory, succeeded(state, { name, key, chain: fingerprint, ...(waits ? { waits } : {}) }));
  return true;
}

export function certificatePath(directory: string, name: string): string {
  return join(directory, "certificates", `${name}.pem`);
}

export function requestPath(directory: string, name: string): string {
  return join(directory, "certificates", `${name}.csr`);
}

export function keyPath(directory: string, key: string): string {
  return join(directory, "keys", `${key}.pem`);
}

/** A name for what comes next. What a crash left, and nothing names, is overwritten if it is a request, else passed over. */
export async function freeName(directory: string, { generations, pending }: Generations): Promise<string> {
  const taken = new Set([...generations, ...(pending === undefined ? [] : [pending])].map(({ name }) => name));
  for (let number = 1; ; number++) {
    const name = number === 1 ? FIRST.name : `${FIRST.name}-${number}`;
    if (!taken.has(name) && !(await exists(certificatePath(directory, name)))) return name;
  }
}

async function loadChain(directory: string, one: Generation): Promise<readonly Certificate[]> {
  const path = certificatePath(directory, one.name);
  const chain = await readChain(path);
  if (chainFingerprint(chain) === one.chain) return chain;
  throw new Misconfigured(path, "is not the chain that was put there; bring it back from a backup");
}

async function trusted(directory: string, one: Generation, created: Date): Promise<TrustedChain> {
  const start = one.from === undefined ? created : new Date(one.from);
  const validFor = one.until === undefined ? { start } : { start, end: new Date(one.until) };
  return { chain: await loadChain(directory, one), validFor };
}

async function ownSigner(directory: string, { key, name }: Generation): Promise<Signer> {
  if (key !== null) return loadKeyFile(keyPath(directory, key));
  throw new Misconfigured(
    "CHANCERY_CA_KEY",
    `must name the key of ${certificatePath(directory, name)}: this installation's CA is in files of your own`,
  );
}

function awaited(directory: string, { pending }: Generations): Misconfigured {
  if (pending === undefined) {
    return new Misconfigured(
      "CHANCERY_CA_KEY",
      "must be given: this installation was made for a CA in files of your own",
    );
  }
  const request = requestPath(directory, pending.name);
  return new Misconfigured(
    "CHANCERY_DATA",
    `the CA has no certificate yet: have ${request} signed by your root, then chancery init --data ${directory} --certificate FILE`,
  );
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
