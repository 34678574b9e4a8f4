import { Body, Controller, Get, Header, Headers, HttpCode, HttpStatus, Post, Res, UseFilters } from "@nestjs/common";
import type { FastifyReply } from "fastify";
import { utf8 } from "@chancery/encoding";
import { faultFilter, withinGrpcTimeout } from "@chancery/service";
import { Issuance } from "../domain/issuance.ts";
import { AuthorityChain } from "./authority-chain.ts";
import { fulcioErrors } from "./error-shape.ts";
import { IssuerList } from "./issuer-list.ts";
import { parseV2Request } from "./signing-request.ts";

const JSON_TYPE = "application/json";
/** The gateway reads it on every path. */
const TIMEOUT = "grpc-timeout";

/** As bytes, because to a JSON text the framework would add a charset that the gateway does not write. */
function protoJson(message: object): Uint8Array {
  return utf8(JSON.stringify(message));
}

/** `dev.sigstore.fulcio.v2.CA` as the gateway renders it. */
@Controller("api/v2")
@UseFilters(faultFilter(fulcioErrors))
export class V2Controller {
  readonly #issuance: Issuance;
  readonly #chain: AuthorityChain;
  readonly #issuers: IssuerList;

  constructor(issuance: Issuance, chain: AuthorityChain, issuers: IssuerList) {
    this.#issuance = issuance;
    this.#chain = chain;
    this.#issuers = issuers;
  }

  @Post("signingCert")
  @HttpCode(HttpStatus.OK)
  @Header("Content-Type", JSON_TYPE)
  async createSigningCertificate(
    @Body() body: Uint8Array | undefined,
    @Headers("authorization") authorization: string | undefined,
    @Headers(TIMEOUT) timeout: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return withinGrpcTimeout(timeout, async () => {
      const { token, proof } = parseV2Request(body, authorization);
      const message = this.#chain.signingCertificate(await this.#issuance.issue(token, proof));
      // Text goes out with the header, in one piece. With a serializer of its own it is given no charset.
      reply.serializer((text: string) => text);
      return JSON.stringify(message);
    });
  }

  @Get("trustBundle")
  @Header("Content-Type", JSON_TYPE)
  trustBundle(@Headers(TIMEOUT) timeout: string | undefined): Promise<Uint8Array> {
    return withinGrpcTimeout(timeout, async () => protoJson({ chains: [{ certificates: this.#chain.pems }] }));
  }

  @Get("configuration")
  @Header("Content-Type", JSON_TYPE)
  configuration(@Headers(TIMEOUT) timeout: string | undefined): Promise<Uint8Array> {
    return withinGrpcTimeout(timeout, async () => protoJson({ issuers: this.#issuers.issuers }));
  }
}
