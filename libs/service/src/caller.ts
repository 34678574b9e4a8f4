import { bearerToken, type Caller } from "@chancery/identity";
import type { FastifyRequest } from "fastify";
import { refusedClientCertificate, verifiedClientCertificate } from "./tls.ts";

/** Who a request says it is from. */
export function callerOf({ headers, raw }: Pick<FastifyRequest, "headers" | "raw">): Caller {
  return {
    token: bearerToken(headers.authorization),
    certificate: verifiedClientCertificate(raw.socket),
    certificateRefusal: refusedClientCertificate(raw.socket),
  };
}
