import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Session } from "../api/about.ts";

export const SessionContext = createContext<Session | undefined>(undefined);

/** Undefined where reading is open to all, or not asked yet. */
export function useSession(): Session | undefined {
  return useContext(SessionContext);
}
