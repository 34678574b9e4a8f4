import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Session } from "../api/about.ts";
import { useNavigation } from "../route.ts";
import { Text } from "./text.tsx";

export const SessionContext = createContext<Session | undefined>(undefined);

/** Where signing in begins, if there is such a place here: never on another host, whatever the server says. */
export function useSignInPath(): string | undefined {
  const session = useContext(SessionContext);
  const { url } = useNavigation();
  const path = session?.loginUrl;
  if (path === undefined || !/^\/(?![/\\])/.test(path)) return undefined;
  const back = url.pathname === SIGNED_OUT_PATH ? "/" : url.pathname + url.search;
  return `${path}?${new URLSearchParams({ return: back }).toString()}`;
}

export const SIGNED_OUT_PATH = "/signed-out";

/** Signed in, and with an account that may see nothing here. */
export function hasNoRole(session: Session | undefined): boolean {
  return session?.required === true && session.name !== undefined && (session.roles ?? []).length === 0;
}

/** Whether the ledger of issuance is this reader's to see. */
export function maySeeIssuance(session: Session | undefined): boolean {
  return session?.required !== true || session.name === undefined || session.roles?.includes("auditor") === true;
}

/** Who is signed in, or where to; nothing where reading is open to all. */
export function SessionBar() {
  const session = useContext(SessionContext);
  const path = useSignInPath();
  if (session?.required !== true) return null;
  return (
    <div class="bar-end">
      {session.name === undefined ? (
        path !== undefined && <a href={path}>Sign in</a>
      ) : (
        <>
          <Text value={session.name} />
          <SignOut />
        </>
      )}
    </div>
  );
}

export function SignOut() {
  return (
    <button type="button" class="link-button" onClick={() => void signOut()}>
      Sign out
    </button>
  );
}

async function signOut(): Promise<void> {
  await fetch("/api/chancery/v1/session", { method: "DELETE" });
  // A page that needs no session: any other would lead straight back into the login.
  location.assign(SIGNED_OUT_PATH);
}
