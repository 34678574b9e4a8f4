import { useContext } from "preact/hooks";
import { Lead } from "../parts/card.tsx";
import { SessionContext, SignOut, useSignInPath } from "../parts/session.tsx";
import { Text } from "../parts/text.tsx";

export function SignedOutPage() {
  const path = useSignInPath();
  return (
    <Lead title="You are signed out">
      This browser has no session here any more; your identity provider may still know you.{" "}
      {path === undefined ? <a href="/">To the first page</a> : <a href={path}>Sign in</a>}
    </Lead>
  );
}

/** In place of every page: none of them would show anything. */
export function NoRolePage() {
  const session = useContext(SessionContext);
  return (
    <Lead title="Your account has no role here">
      You are signed in as <Text value={session?.name ?? "someone"} />, whose account has no role here. Whoever runs
      this installation gives roles; or <SignOut /> and sign in as somebody else.
    </Lead>
  );
}
