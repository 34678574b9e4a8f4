import type { SignedBundle } from "./signatures.ts";

/** As cosign 2 writes it with `sign-blob --bundle`. */
export function olderBundle({ verificationMaterial: { tlogEntries }, messageSignature }: SignedBundle) {
  const [entry] = tlogEntries;
  const body = entry?.canonicalizedBody ?? "";
  const { spec } = JSON.parse(Buffer.from(body, "base64").toString()) as {
    spec: { signature: { publicKey: { content: string } } };
  };
  return {
    base64Signature: messageSignature?.signature,
    cert: spec.signature.publicKey.content,
    rekorBundle: {
      SignedEntryTimestamp: entry?.inclusionPromise?.signedEntryTimestamp,
      Payload: {
        body,
        integratedTime: Number(entry?.integratedTime),
        logIndex: Number(entry?.logIndex),
        logID: Buffer.from(entry?.logId?.keyId ?? "", "base64").toString("hex"),
      },
    },
  };
}
