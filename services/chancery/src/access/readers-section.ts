import { z } from "zod";
import { KEYS, patterns, text } from "../admission-section.ts";

/* The configuration's `chancery.readers`: who may read, if not everyone. */

const ROLE = z.record(z.string(), patterns);
const ROLES = { reader: ROLE.optional(), auditor: ROLE.optional() };
export const READERS = {
  ...KEYS,
  "client-id": text,
  "client-secret-file": text.optional(),
  /** Of machines' tokens; the client's ID if left out. */
  audience: text.optional(),
  scope: text.optional(),
  "ca-cert": text.optional(),
  roles: z.strictObject(ROLES).optional(),
  login: z.boolean().optional(),
  logs: z.boolean().optional(),
  "session-minutes": z.int().min(5).max(720).optional(),
};
export const readersSection = z.strictObject(READERS);
export type ReadersSection = z.infer<typeof readersSection>;
export const READERS_KEYS = { readers: READERS, "readers.roles": ROLES } as const;
