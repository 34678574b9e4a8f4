import { utf8 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import type { GrpcService } from "@chancery/service";
import type { Issuance } from "../domain/issuance.ts";
import type { Proof } from "../domain/proof-of-possession.ts";
import { REFUSAL, refusal } from "../domain/refusal.ts";
import { type AuthorityChain, PEM_CERTIFICATE_CHAIN } from "../http/authority-chain.ts";
import { tellFailure } from "../http/error-shape.ts";
import { MAX_BODY_BYTES } from "../http/signing-request.ts";
import { tokenInMetadata } from "./ca-v2.ts";

/** As the proto file has it. */
interface CreateSigningCertificateRequest {
  readonly publicKey: { readonly content: Uint8Array } | null;
  readonly signedEmailAddress: Uint8Array;
  readonly certificateSigningRequest: Uint8Array;
}

/** `dev.sigstore.fulcio.v1beta.CA`; upstream has it on a socket of its own, for its gateway. */
export function caV1beta(issuance: Issuance, chain: AuthorityChain): GrpcService {
  return {
    name: "dev.sigstore.fulcio.v1beta.CA",
    proto: new URL("../../proto/fulcio_v1beta.proto", import.meta.url),
    messageLimit: MAX_BODY_BYTES,
    tell: tellFailure,
    methods: {
      CreateSigningCertificate: async (message, call) => {
        const proof = parseProof(message as unknown as CreateSigningCertificateRequest);
        const issued = await issuance.issue(tokenInMetadata(call), proof);
        call.setHeader("x-http-code", "201");
        return httpBody(chain.below(issued.certificate).join("\n"));
      },
      GetRootCertificate: () => httpBody(chain.text),
    },
  };
}

function httpBody(text: string): object {
  return { contentType: PEM_CERTIFICATE_CHAIN, data: utf8(text) };
}

function parseProof(request: CreateSigningCertificateRequest): Proof {
  const { publicKey, signedEmailAddress: signature, certificateSigningRequest: pem } = request;
  if (pem.length > 0) return { type: "certificate-request", pem };
  if (publicKey === null) throw refusal(REFUSAL.publicKey, new Malformed("none was given"));
  return { type: "challenge", publicKey: publicKey.content, signature };
}
