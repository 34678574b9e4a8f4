import type { Signer } from "@chancery/crypto";
import { vi } from "vitest";
import type { Target, TufRepository, TufRepositoryOptions } from "../src/index.ts";
import { START, tufKeys } from "./installation.ts";
import { MemoryDirectory, MemoryFloor } from "./memory-directory.ts";

export const DAY = 86_400_000;
export const bytes = (text: string) => new TextEncoder().encode(text);
export const trustedRoot = (text: string): Target => ({ name: "trusted_root.json", bytes: bytes(text) });
export const rekorKey: Target = {
  name: "rekor.pub",
  bytes: bytes("key"),
  custom: { sigstore: { usage: "Rekor", status: "Active", uri: "https://sig.example.com" } },
};

export interface World extends TufRepositoryOptions {
  readonly directory: MemoryDirectory;
  readonly floor: MemoryFloor;
  readonly keys: { readonly root: Signer; readonly online: Signer };
}

/** An empty directory, two keys and two targets; the machine's date is the repository's first. */
export function newWorld(): World {
  vi.useFakeTimers({ toFake: ["Date"] });
  return {
    directory: new MemoryDirectory(),
    floor: new MemoryFloor(),
    keys: tufKeys(),
    targets: [trustedRoot("one"), rekorKey],
    now: travelTo(START),
  };
}

/** tuf-js reads the machine's clock; ours is an argument. This moves the one and answers the other. */
export function travelTo(now: number): number {
  vi.setSystemTime(now);
  return now;
}

export const versions = (repository: TufRepository) =>
  Object.fromEntries(repository.status().map(({ role, version }) => [role, version]));
export const rootOf = (repository: TufRepository) => repository.file("root.json")!.bytes;
