import { NotFound } from "@chancery/fault";
import type { FastifyReply } from "fastify";

/**
 * Sends a file that was looked up by its whole name. Whatever is not versioned, a 404 included (the next
 * root is not there yet, and one day will be), must be asked for again each time.
 */
export function sendFile(
  reply: FastifyReply,
  name: string,
  file: { readonly bytes: Uint8Array; readonly immutable: boolean } | undefined,
): void {
  reply.header("Cache-Control", file?.immutable === true ? "public, max-age=31536000, immutable" : "no-cache");
  if (file === undefined) throw new NotFound("there is no such file");
  const { buffer, byteOffset, byteLength } = file.bytes;
  reply.header("Content-Type", contentType(name)).send(Buffer.from(buffer, byteOffset, byteLength));
}

function contentType(name: string): string {
  if (name.endsWith(".json")) return "application/json";
  // RFC 8555, Section 9.1.
  if (name.endsWith(".pem")) return "application/pem-certificate-chain";
  return "application/x-pem-file";
}
