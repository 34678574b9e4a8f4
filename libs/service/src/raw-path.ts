import type { FastifyRequest } from "fastify";

/**
 * The path from `segment` ("tile") on, as it was sent: a decoded `%2e` or `%2f` would be a second name for what
 * has one. "" where the path has no such segment.
 */
export function rawPathFrom({ url }: Pick<FastifyRequest, "url">, segment: string): string {
  const [path = ""] = url.split("?", 1);
  const start = path.indexOf(`/${segment}/`);
  return start < 0 ? "" : path.slice(start + 1);
}
