import { Fault } from "@chancery/fault";
import type { Shape } from "./shape.ts";

/** How a question to the server ended; each is told differently. */
export type Answer<T> =
  | { readonly kind: "answered"; readonly value: T }
  /** This installation has no such API. */
  | { readonly kind: "absent" }
  /** The API is there and what was asked for is not. */
  | { readonly kind: "unknown"; readonly message: string }
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "signed-out" }
  | { readonly kind: "forbidden"; readonly message: string }
  /** What is stored is not what was logged, and the server shows it to nobody. */
  | { readonly kind: "damaged"; readonly message: string }
  | { readonly kind: "unavailable"; readonly message: string };

const ROOT = "/api/chancery/v1";
const TIMEOUT_MS = 30_000;

export type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** `GET /api/chancery/v1/…`, read once, strictly. */
export async function ask<T>(
  path: string,
  shape: Shape<T>,
  parameters: Parameters = {},
  signal?: AbortSignal,
): Promise<Answer<T>> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const abort = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    const response = await fetch(`${ROOT}${path}${queryString(parameters)}`, {
      headers: { Accept: "application/json" },
      redirect: "error",
      signal: abort,
    });
    if (!response.ok) return refusal(response.status, await toldBy(response));
    return { kind: "answered", value: shape(await response.json(), "the answer") };
  } catch (error) {
    if (signal?.aborted === true) throw error;
    if (error instanceof Fault)
      return { kind: "unavailable", message: `The answer was not understood: ${error.message}.` };
    return { kind: "unavailable", message: "The server does not answer." };
  }
}

export function queryString(parameters: Parameters): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== undefined && one !== "") query.append(name, one);
  }
  const written = query.toString();
  return written === "" ? "" : `?${written}`;
}

/** What `libs/service` answers where there is no route at all. */
const NO_SUCH_PATH = "there is nothing at this path";

/** What an error says of itself: `code` is the fault's own name. */
interface Told {
  readonly code: unknown;
  readonly message: string;
}

function refusal(status: number, { code, message }: Told): Answer<never> {
  if (code === "damaged") return { kind: "damaged", message };
  if (status === 401) return { kind: "signed-out" };
  if (status === 403) return { kind: "forbidden", message };
  if (status === 404) return message === NO_SUCH_PATH ? { kind: "absent" } : { kind: "unknown", message };
  if (status >= 400 && status < 500) return { kind: "refused", message };
  return { kind: "unavailable", message };
}

async function toldBy(response: Response): Promise<Told> {
  const body: unknown = await response.json().catch(() => undefined);
  const { code, message }: { code?: unknown; message?: unknown } =
    typeof body === "object" && body !== null ? body : {};
  return { code, message: typeof message === "string" ? message : `The server answered ${response.status}.` };
}
