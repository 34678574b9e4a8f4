import { Body, Controller, Get, Header, Headers, HttpCode, HttpStatus, Post, UseFilters } from "@nestjs/common";
import { faultFilter, withinGrpcTimeout } from "@chancery/service";
import { Issuance } from "../domain/issuance.ts";
import { AuthorityChain, PEM_CERTIFICATE_CHAIN } from "./authority-chain.ts";
import { fulcioErrors } from "./error-shape.ts";
import { parseV1Request } from "./signing-request.ts";

/** The gateway reads it on every path. */
const TIMEOUT = "grpc-timeout";

/** `dev.sigstore.fulcio.v1beta.CA`, which cosign up to 2.6 speaks. */
@Controller("api/v1")
@UseFilters(faultFilter(fulcioErrors))
export class V1Controller {
  readonly #issuance: Issuance;
  readonly #chain: AuthorityChain;

  constructor(issuance: Issuance, chain: AuthorityChain) {
    this.#issuance = issuance;
    this.#chain = chain;
  }

  /** Exactly 201 is what upstream's client takes for success. */
  @Post("signingCert")
  @HttpCode(HttpStatus.CREATED)
  @Header("Content-Type", PEM_CERTIFICATE_CHAIN)
  async createSigningCertificate(
    @Body() body: Uint8Array | undefined,
    @Headers("authorization") authorization: string | undefined,
    @Headers(TIMEOUT) timeout: string | undefined,
  ): Promise<string> {
    return withinGrpcTimeout(timeout, async () => {
      const { token, proof } = parseV1Request(body, authorization);
      const issued = await this.#issuance.issue(token, proof);
      return this.#chain.below(issued.certificate).join("\n");
    });
  }

  @Get("rootCert")
  @Header("Content-Type", PEM_CERTIFICATE_CHAIN)
  rootCertificate(@Headers(TIMEOUT) timeout: string | undefined): Promise<string> {
    return withinGrpcTimeout(timeout, async () => this.#chain.text);
  }
}
