import { Malformed } from "@chancery/fault";
import type { GrpcMessage } from "@chancery/service";
import type { CreateEntryRequest } from "../domain/v2/judge-request.ts";
import type { RequestVerifier } from "../domain/v2/request-verifier.ts";

/** As the proto file has it; of a `oneof`, what is not set is not there. */
export interface CreateEntryMessage extends GrpcMessage {
  readonly hashedRekordRequestV002?: { readonly digest: Uint8Array; readonly signature: SignatureMessage | null };
  readonly dsseRequestV002?: {
    readonly envelope: EnvelopeMessage | null;
    readonly verifiers: readonly VerifierMessage[];
  };
}

interface SignatureMessage {
  readonly content: Uint8Array;
  readonly verifier: VerifierMessage | null;
}

interface EnvelopeMessage {
  readonly payload: Uint8Array;
  readonly payloadType: string;
  readonly signatures: readonly { readonly sig: Uint8Array }[];
}

interface VerifierMessage {
  readonly publicKey?: { readonly rawBytes: Uint8Array };
  readonly x509Certificate?: { readonly rawBytes: Uint8Array };
  /** A number where the proto file has no name for it. */
  readonly keyDetails: string | number;
}

export function readCreateEntryMessage({
  hashedRekordRequestV002: hashedRekord,
  dsseRequestV002: dsse,
}: CreateEntryMessage): CreateEntryRequest {
  if (dsse !== undefined) {
    const { payload, payloadType, signatures } = given(dsse.envelope, "dsseRequestV002.envelope");
    return {
      dsse: {
        envelope: { payload, payloadType, signatures: signatures.map(({ sig }) => sig) },
        verifiers: dsse.verifiers.map((verifier, at) =>
          readVerifierMessage(verifier, `dsseRequestV002.verifiers.${at}`),
        ),
      },
    };
  }
  if (hashedRekord === undefined) {
    throw new Malformed("invalid type, must be one of hashedRekordRequestV002 and dsseRequestV002");
  }
  const field = "hashedRekordRequestV002.signature";
  const { content, verifier } = given(hashedRekord.signature, field);
  const read = readVerifierMessage(given(verifier, `${field}.verifier`), `${field}.verifier`);
  return { hashedRekord: { digest: hashedRekord.digest, signature: { content, verifier: read } } };
}

function readVerifierMessage(
  { publicKey, x509Certificate, keyDetails }: VerifierMessage,
  field: string,
): RequestVerifier {
  const details = String(keyDetails);
  if (publicKey !== undefined) return { form: "publicKey", rawBytes: publicKey.rawBytes, keyDetails: details };
  if (x509Certificate === undefined) throw new Malformed(`${field}: has neither publicKey nor x509Certificate`);
  return { form: "x509Certificate", rawBytes: x509Certificate.rawBytes, keyDetails: details };
}

function given<T>(message: T | null, field: string): T {
  if (message === null) throw new Malformed(`${field}: is required`);
  return message;
}
