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
  return `${path}?${new URLSearchParams({ return: url.pathname + url.search }).toString()}`;
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
          <button type="button" class="link-button" onClick={() => void signOut()}>
            Sign out
          </button>
        </>
      )}
    </div>
  );
}

async function signOut(): Promise<void> {
  await fetch("/api/chancery/v1/session", { method: "DELETE" });
  location.assign("/");
}
