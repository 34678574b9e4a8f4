import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * The programs of others that Chancery must serve. Each is looked for in its variable, then by name
 * on PATH; a test that needs one and does not find it says so in its title.
 */
export const REAL_CLIENTS = {
  "cosign-2": "COSIGN_2",
  "cosign-2.6": "COSIGN_2_6",
  "cosign-3": "COSIGN_3",
  "rekor-cli": "REKOR_CLI",
  "docker-registry": "DOCKER_REGISTRY",
  chromium: "CHROMIUM",
} as const;

export type RealClient = keyof typeof REAL_CLIENTS;

/** Path of a client's program, or undefined where this machine has none. */
export function findClient(name: RealClient): string | undefined {
  const named = process.env[REAL_CLIENTS[name]];
  return named ? [named].find(isExecutable) : findProgram(name);
}

/** Path of a program in one of these folders, by default those of PATH, or undefined where none has it. */
export function findProgram(
  name: string,
  folders: readonly string[] = (process.env["PATH"] ?? "").split(delimiter),
): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * The clients a test file needs.
 *
 * With `CHANCERY_REQUIRE_CLIENTS=1` (CI) a missing client is an error, so that no test can go missing
 * there unseen, unless `CHANCERY_WITHOUT_CLIENTS` names it; elsewhere the caller skips with `reason` in the title.
 */
export function needClients(...names: RealClient[]): { readonly missing: boolean; readonly reason: string } {
  const missing = names.filter((name) => findClient(name) === undefined);
  const reason = missing.map((name) => `${name} (set ${REAL_CLIENTS[name]})`).join(", ");
  const without = (process.env["CHANCERY_WITHOUT_CLIENTS"] ?? "").split(",");
  if (process.env["CHANCERY_REQUIRE_CLIENTS"] === "1" && missing.some((name) => !without.includes(name))) {
    throw new Error(`CHANCERY_REQUIRE_CLIENTS is set and there is no ${reason}`);
  }
  return { missing: missing.length > 0, reason: missing.length > 0 ? ` [left out: no ${reason}]` : "" };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
