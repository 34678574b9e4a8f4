import type { TokenKeys } from "@chancery/identity";
import type { Settings } from "../settings.ts";
import { AuthorizationCodeFlow } from "./authorization-code.ts";
import { CALLBACK_PATH, type LoginRoutes } from "./login-routes.ts";
import { OidcReadAccess } from "./oidc-read-access.ts";
import { sessionSecret } from "./session-secret.ts";

/** The guard, and the routes to sign in by; undefined where everyone may read. */
export async function openReaders(
  { url, data, readers }: Pick<Settings, "url" | "data" | "readers">,
  keysOfTheCa: TokenKeys,
): Promise<LoginRoutes | undefined> {
  if (readers === undefined) return undefined;
  const secret = await sessionSecret(data);
  const access = new OidcReadAccess({
    ...readers,
    keys: readers.keys === "of-the-ca" ? keysOfTheCa : readers.keys,
    isSecure: url.startsWith("https:"),
    secret,
  });
  const flow = readers.login
    ? new AuthorizationCodeFlow({ ...readers, redirectUri: `${url}${CALLBACK_PATH}` })
    : undefined;
  return { access, flow, url, secret };
}
