import { Body, Controller, Get, Header, Headers, HttpCode, HttpStatus, Post, UseFilters } from "@nestjs/common";
import { faultFilter } from "@chancery/service";
import { Issuance } from "../domain/issuance.ts";
import { AuthorityChain } from "./authority-chain.ts";
import { fulcioErrors } from "./error-shape.ts";
import { IssuerList } from "./issuer-list.ts";
import { parseV2Request } from "./signing-request.ts";

const JSON_TYPE = "application/json";

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
  ): Promise<string> {
    const { token, proof } = parseV2Request(body, authorization);
    const issued = await this.#issuance.issue(token, proof);
    const chain = { certificates: this.#chain.below(issued.certificate) };
    return JSON.stringify(
      issued.isLogged
        ? { signedCertificateEmbeddedSct: { chain } }
        : { signedCertificateDetachedSct: { chain, signedCertificateTimestamp: "" } },
    );
  }

  @Get("trustBundle")
  @Header("Content-Type", JSON_TYPE)
  trustBundle(): string {
    return JSON.stringify({ chains: [{ certificates: this.#chain.pems }] });
  }

  @Get("configuration")
  @Header("Content-Type", JSON_TYPE)
  configuration(): string {
    return JSON.stringify({ issuers: this.#issuers.issuers });
  }
}
