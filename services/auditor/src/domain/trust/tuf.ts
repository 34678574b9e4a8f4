import { createPublicKey, verify } from "node:crypto";
import { type JsonObject, type JsonValue, parseJson } from "@chancery/encoding";
import { sha256 } from "../merkle.ts";

export type Role = "root" | "timestamp" | "snapshot" | "targets";

/** A role's metadata, TUF 1.0.33, Section 4, whose signatures hold under a root. */
export interface Metadata {
  readonly role: Role;
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly expires: number;
  readonly signed: JsonObject;
  readonly bytes: Uint8Array;
}

export interface RootKeys {
  /** Of each role: a threshold, and the PEM of each key by its ID. */
  readonly roles: Readonly<Record<Role, { readonly threshold: number; readonly keys: ReadonlyMap<string, string> }>>;
}

/** What is wrong with metadata. */
export class TrustFault extends Error {
  override readonly name = "TrustFault";
}

export function rootKeys(root: Metadata): RootKeys {
  const [keys, roles] = [objectAt(root.signed, "keys"), objectAt(root.signed, "roles")];
  const of = (role: Role) => {
    const { threshold, keyids } = objectAt(roles, role);
    if (!Array.isArray(keyids) || !Number.isSafeInteger(threshold) || Number(threshold) < 1) {
      throw new TrustFault(`root ${root.version}: role ${role} has no threshold`);
    }
    const ids = keyids.map(String);
    return {
      threshold: Number(threshold),
      keys: new Map(ids.map((id) => [id, textAt(objectAt(objectAt(keys, id), "keyval"), "public")])),
    };
  };
  return {
    roles: { root: of("root"), timestamp: of("timestamp"), snapshot: of("snapshot"), targets: of("targets") },
  };
}

/** Of what is larger clients read nothing: go-tuf, python-tuf and tuf-js alike, unless told. */
const MOST_BYTES = { root: 512_000, timestamp: 16_384, snapshot: 2_000_000, targets: 5_000_000 } as const;

/** Reads the form alone; `verifyMetadata` says whether to believe it. */
export function readMetadata(role: Role, bytes: Uint8Array): Metadata {
  if (bytes.length > MOST_BYTES[role]) {
    throw new TrustFault(`${role}: has ${bytes.length} bytes, and clients read ${MOST_BYTES[role]} at most`);
  }
  const signed = objectAt(parsed(bytes, role), "signed");
  const { _type: type, version } = signed;
  if (type !== role) throw new TrustFault(`${role}: is of type ${JSON.stringify(type)}`);
  if (!Number.isSafeInteger(version)) throw new TrustFault(`${role}: has no version`);
  const expires = Date.parse(textAt(signed, "expires"));
  if (Number.isNaN(expires)) throw new TrustFault(`${role}: has no expiry`);
  return { role, version: Number(version), expires, signed, bytes };
}

/** TUF 1.0.33, 5.1: as many valid signatures, by different keys of the role, as its threshold. Each key counts once. */
export function verifyMetadata({ role, signed, bytes, version }: Metadata, { roles }: RootKeys): void {
  const { threshold, keys } = roles[role];
  const message = Buffer.from(canonical(signed));
  const { signatures } = parsed(bytes, role);
  const [good, tried] = [new Set<string>(), new Set<string>()];
  for (const signature of Array.isArray(signatures) ? (signatures as readonly JsonObject[]) : []) {
    const [id, hex] = [textAt(signature, "keyid"), textAt(signature, "sig")];
    const pem = keys.get(id);
    // Once: else one answer with a key's ID a thousand times is as many signatures to verify in one turn.
    if (pem === undefined || tried.has(id)) continue;
    tried.add(id);
    if (isSigned(message, hex, { role, id, pem })) good.add(id);
  }
  if (good.size >= threshold) return;
  throw new TrustFault(`${role} ${version}: ${good.size} of ${threshold} signatures hold`);
}

/** A key in a form that clients read and this does not is none of this installation's. */
function isSigned(
  message: Uint8Array,
  hex: string,
  { role, id, pem }: { readonly role: Role; readonly id: string; readonly pem: string },
): boolean {
  try {
    const key = createPublicKey(pem);
    const algorithm = key.asymmetricKeyType === "ed25519" ? null : "sha256";
    return verify(algorithm, message, key, Buffer.from(hex, "hex"));
  } catch (cause) {
    throw new TrustFault(`${role}: its key ${id.slice(0, 64)} cannot be read`, { cause });
  }
}

/** How one file names another: a version, and mostly a length and hashes. */
export interface Description {
  readonly version: number | undefined;
  readonly length: number | undefined;
  readonly sha256: string | undefined;
}

/** Whatever stands beside a target's length and hashes. */
export function describedTarget(targets: Metadata, name: string): JsonObject {
  return objectAt(objectAt(targets.signed, "targets"), name);
}

export function descriptionOf(meta: Metadata, file: string): Description {
  const described =
    meta.role === "targets" ? describedTarget(meta, file) : objectAt(objectAt(meta.signed, "meta"), file);
  const { version, length, hashes } = described;
  return {
    version: typeof version === "number" ? version : undefined,
    length: typeof length === "number" ? length : undefined,
    sha256: isObject(hashes) ? textAt(hashes, "sha256") : undefined,
  };
}

export function targetNames(targets: Metadata): string[] {
  return Object.keys(objectAt(targets.signed, "targets"));
}

/** Whether clients ask others for what is not among its targets, TUF 1.0.33, Section 4.5. */
export function delegates({ signed }: Metadata): boolean {
  const { delegations } = signed;
  if (delegations === undefined) return false;
  if (!isObject(delegations)) return true;
  const { roles, succinct_roles: succinct } = delegations;
  return succinct !== undefined || !Array.isArray(roles) || roles.length > 0;
}

export function expectDescribed(name: string, bytes: Uint8Array, { length, sha256: hash }: Description): void {
  if (length !== undefined && length !== bytes.length) {
    throw new TrustFault(`${name}: has ${bytes.length} bytes, ${length} are signed for`);
  }
  if (hash !== undefined && hash !== sha256(bytes).toHex())
    throw new TrustFault(`${name}: is not the file that was signed for`);
}

/** OLPC canonical JSON: keys sorted, no white space, in strings only `"` and `\` escaped. */
function canonical(value: JsonValue): string {
  if (typeof value === "string") return `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .toSorted()
    .map((key) => `${canonical(key)}:${canonical(value[key] ?? null)}`);
  return `{${members.join(",")}}`;
}

function parsed(bytes: Uint8Array, role: Role): JsonObject {
  const json = jsonOf(bytes, role);
  if (!isObject(json)) throw new TrustFault(`${role}: is no object`);
  return json;
}

function jsonOf(bytes: Uint8Array, role: Role): JsonValue {
  try {
    return parseJson(bytes, role);
  } catch (cause) {
    throw new TrustFault(`${role}: is not JSON`, { cause });
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objectAt(object: JsonObject, name: string): JsonObject {
  const found = object[name];
  if (!isObject(found)) throw new TrustFault(`${name}: is missing`);
  return found;
}

function textAt(object: JsonObject, name: string): string {
  const found = object[name];
  if (typeof found !== "string") throw new TrustFault(`${name}: is no text`);
  return found;
}
