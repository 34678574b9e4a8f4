import { secretIn } from "../secret-file.ts";

/**
 * What sessions are signed with, made when it is first needed: `keys/session`. In a file and not in memory, so that a
 * restart signs nobody out, and processes with the same folder know each other's sessions. To sign everybody out,
 * delete it and start anew.
 */
export async function sessionSecret(data: string): Promise<Uint8Array> {
  return secretIn(data, "session");
}
