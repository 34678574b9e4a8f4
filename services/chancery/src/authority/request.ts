import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createKeyFile, type KeyAlgorithm, loadKeyFile, type Signer } from "@chancery/crypto";
import { encodePem } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { createIntermediateRequest } from "@chancery/x509";
import { writeDurably } from "../durable-file.ts";
import { exists, FIRST, freeName, keyPath, requestPath } from "./authority.ts";
import { type Generations, type Pending, writeGenerations } from "./generations.ts";

/**
 * Makes a key for the next issuing certificate, and the request that the holder of the root signs. Key, request,
 * `authority.json`: a crash leaves a key that nothing names, which the next attempt takes.
 */
export async function requestCertificate(
  directory: string,
  hostname: string,
  state: Generations,
  algorithm: KeyAlgorithm,
): Promise<Pending> {
  const name = await freeName(directory, state);
  const number = name.slice(FIRST.name.length);
  const key = `${FIRST.key}${number}`;
  await removeHalfMade(directory, key);
  const signer = await makeKey(keyPath(directory, key), algorithm);
  // Another name for each key: verifiers that look issuers up by name alone must not find the wrong one.
  const commonName = `Chancery intermediate${number.replace("-", " ")}`;
  const request = await createIntermediateRequest({ organization: hostname.slice(0, 64), commonName }, signer);
  await writeDurably(requestPath(directory, name), encodePem("CERTIFICATE REQUEST", request));
  const pending = { name, key };
  await writeGenerations(directory, { ...state, pending });
  return pending;
}

/** A kill in the middle of making a key leaves it under a name of its own, private but for nobody. */
async function removeHalfMade(directory: string, key: string): Promise<void> {
  const folder = join(directory, "keys");
  const names = (await readdir(folder)).filter((name) => name.startsWith(`.${key}.pem.`) && name.endsWith(".tmp"));
  for (const name of names) await rm(join(folder, name), { force: true });
}

async function makeKey(path: string, algorithm: KeyAlgorithm): Promise<Signer> {
  if (!(await exists(path))) return createKeyFile(path, algorithm);
  const left = await loadKeyFile(path);
  if (left.publicKey.algorithm === algorithm) return left;
  throw new Misconfigured(
    path,
    `is left of an attempt that did not end, with a key of ${left.publicKey.algorithm}; take that, or delete the file`,
  );
}
