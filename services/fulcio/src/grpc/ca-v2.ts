import type { GrpcCall, GrpcService } from "@chancery/service";
import type { Issuance } from "../domain/issuance.ts";
import type { AuthorityChain } from "../http/authority-chain.ts";
import { tellFailure } from "../http/error-shape.ts";
import type { IssuerList } from "../http/issuer-list.ts";
import { MAX_BODY_BYTES, type SigningRequest } from "../http/signing-request.ts";

/** As the proto file has it; of a `oneof`, what is not set is not there. */
interface CreateSigningCertificateRequest {
  readonly credentials: { readonly oidcIdentityToken?: string } | null;
  readonly publicKeyRequest?: {
    readonly publicKey: { readonly content: string } | null;
    readonly proofOfPossession: Uint8Array;
  };
  readonly certificateSigningRequest?: Uint8Array;
}

/** `dev.sigstore.fulcio.v2.CA`: the calls of the HTTP API, without the gateway. */
export function caV2(issuance: Issuance, chain: AuthorityChain, issuers: IssuerList): GrpcService {
  return {
    name: "dev.sigstore.fulcio.v2.CA",
    proto: new URL("../../proto/fulcio_v2.proto", import.meta.url),
    messageLimit: MAX_BODY_BYTES,
    tell: tellFailure,
    methods: {
      CreateSigningCertificate: async (message, call) => {
        const { token, proof } = parseRequest(message as unknown as CreateSigningCertificateRequest, call);
        return chain.signingCertificate(await issuance.issue(token, proof));
      },
      GetTrustBundle: () => ({ chains: [{ certificates: chain.pems }] }),
      GetConfiguration: () => ({ issuers: issuers.issuers }),
    },
  };
}

function parseRequest(request: CreateSigningCertificateRequest, call: GrpcCall): SigningRequest {
  const inMessage = request.credentials?.oidcIdentityToken ?? "";
  const token = inMessage === "" ? tokenInMetadata(call) : inMessage;
  const pem = request.certificateSigningRequest;
  if (pem !== undefined && pem.length > 0) return { token, proof: { type: "certificate-request", pem } };
  const { publicKey, proofOfPossession } = request.publicKeyRequest ?? {};
  return {
    token,
    proof: {
      type: "challenge",
      publicKey: publicKey?.content ?? "",
      signature: proofOfPossession ?? new Uint8Array(),
    },
  };
}

/** Where upstream's gateway puts what came in the Authorization header; of several none counts. */
export function tokenInMetadata(call: GrpcCall): string {
  const [token, another] = call.metadata("oidcidentitytoken");
  return token === undefined || another !== undefined ? "" : token;
}
