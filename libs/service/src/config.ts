import { readFile } from "node:fs/promises";
import { Misconfigured } from "@chancery/fault";
import { parseDocument } from "yaml";
import type { ZodError, ZodType } from "zod";

const MAX_CONFIG_BYTES = 1024 * 1024;
/** Upstream's production file aliases a few dozen nodes; a bomb needs far more. */
const MAX_ALIASES = 200;

/** Reads a YAML (or JSON) file and holds it against its schema. Anything unknown or impossible is Misconfigured. */
export async function loadConfig<T>(file: string, schema: ZodType<T>): Promise<T> {
  return parseConfig(await readConfigFile(file), file, schema);
}

export async function readConfigFile(file: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable";
    throw new Misconfigured(file, `the file cannot be read (${code})`, { cause });
  }
  if (bytes.length > MAX_CONFIG_BYTES) throw new Misconfigured(file, "the file is larger than 1 MiB");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Misconfigured(file, "the file is not UTF-8", { cause });
  }
}

/** `name` stands in front of every complaint: the file's path. */
export function parseConfig<T>(text: string, name: string, schema: ZodType<T>): T {
  const result = schema.safeParse(parseYaml(text, name));
  if (result.success) return result.data;
  throw misconfigured(name, result.error);
}

/** YAML 1.2 without duplicate keys or alias bombs. */
export function parseYaml(text: string, name: string): unknown {
  const document = parseDocument(text, { uniqueKeys: true, merge: true });
  const [problem] = document.errors;
  if (problem !== undefined) throw new Misconfigured(name, problem.message.split("\n", 1)[0] ?? "not YAML");
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown;
  } catch (cause) {
    throw new Misconfigured(name, cause instanceof Error ? cause.message : "not YAML", { cause });
  }
}

function misconfigured(name: string, error: ZodError): Misconfigured {
  const [issue] = error.issues;
  if (issue === undefined) return new Misconfigured(name, "does not fit its schema");
  const path = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const key = [path, issue.keys[0]].filter(Boolean).join(".");
    return new Misconfigured(key, `unknown key in ${name}`);
  }
  return new Misconfigured(path === "" ? name : path, `${issue.message} (in ${name})`);
}
