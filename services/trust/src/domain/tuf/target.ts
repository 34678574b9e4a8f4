import { Misconfigured } from "@chancery/fault";
import { canonicalize } from "@tufjs/canonical-json";
import { TargetFile, type Targets } from "@tufjs/models";
import { contentHashes } from "./metadata.ts";

/** A file that clients get through TUF. */
export interface Target {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Signed beside the hashes; TUF gives it no meaning, Sigstore's older clients find keys by it. */
  readonly custom?: TargetCustom;
}

export interface TargetCustom {
  readonly sigstore: { readonly usage: string; readonly status: string; readonly uri: string };
}

/** No slash and no leading dot: a target's name becomes a file's name, here and in every client's cache. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function targetFiles(targets: readonly Target[]): Record<string, TargetFile> {
  const files: Record<string, TargetFile> = {};
  for (const { name, bytes, custom } of targets) {
    if (!NAME.test(name)) throw new Misconfigured("tuf", `"${name}" cannot be a target's name`);
    if (Object.hasOwn(files, name)) throw new Misconfigured("tuf", `there are two targets named ${name}`);
    const unrecognizedFields = custom === undefined ? {} : { custom: { sigstore: { ...custom.sigstore } } };
    files[name] = new TargetFile({
      path: name,
      length: bytes.length,
      hashes: contentHashes(bytes),
      unrecognizedFields,
    });
  }
  return files;
}

/** Whether the metadata already says all of this and no more. */
export function describes(signed: Targets, files: Readonly<Record<string, TargetFile>>): boolean {
  return canonical(signed.targets) === canonical(files);
}

function canonical(files: Readonly<Record<string, TargetFile>>): string {
  return canonicalize(Object.fromEntries(Object.entries(files).map(([name, file]) => [name, file.toJSON()])));
}
