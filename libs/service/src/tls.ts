import { readFile } from "node:fs/promises";
import { createSecureContext, TLSSocket } from "node:tls";
import { Misconfigured } from "@chancery/fault";

/** Files of PEM, absolute paths. */
export interface TlsOptions {
  readonly certificate: string;
  readonly key: string;
}

export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /**
   * PEM. Clients are asked for a certificate below one of these. One without still connects: what needs a certificate
   * asks for it itself.
   */
  readonly clientAuthorities?: string | undefined;
}

/** Misconfigured under `scope` unless certificate and key can be read and fit together. */
export async function loadTls({ certificate, key: keyFile }: TlsOptions, scope: string): Promise<TlsMaterial> {
  // One after the other, so that of two faults the same one is always told.
  const cert = await pemFile(certificate, `${scope}.certificate`);
  const key = await pemFile(keyFile, `${scope}.key`);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new Misconfigured(scope, "certificate and key do not fit together", { cause });
  }
  return { cert, key };
}

async function pemFile(path: string, key: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new Misconfigured(key, `${path} cannot be read`, { cause });
  }
}

/** DER of the certificate that TLS verified below a client authority. */
export function verifiedClientCertificate(socket: unknown): Uint8Array | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  return socket.getPeerX509Certificate()?.raw;
}

/** Why TLS verified no certificate of a client that showed one, as OpenSSL names it (`CERT_HAS_EXPIRED`). */
export function refusedClientCertificate(socket: unknown): string | undefined {
  if (!(socket instanceof TLSSocket) || socket.authorized) return undefined;
  return socket.getPeerX509Certificate() === undefined ? undefined : String(socket.authorizationError);
}
