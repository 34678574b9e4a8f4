import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { loadKeyFile } from "@chancery/crypto";
import { encodePem } from "@chancery/encoding";
import { FileAnchor, PostgresLogStore, SearchKeys, TransparencyLog } from "@chancery/log";
import type { Database } from "@chancery/postgres";
import { rekorTreeHeadSigner } from "@chancery/rekor";
import { leafHash } from "@chancery/tlog";

const IN_FLIGHT = 2_048;

/** What a CI would be given here; its serial number and key are changed for each entry. */
export async function issueCertificate(url: string): Promise<Uint8Array> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const token = await (await fetch(`${url}/idp/token?email=release@example.com`)).text();
  const answer = await fetch(`${url}/api/v2/signingCert`, {
    method: "POST",
    body: JSON.stringify({
      credentials: { oidcIdentityToken: token },
      publicKeyRequest: {
        publicKey: { algorithm: "ECDSA", content: publicKey.export({ type: "spki", format: "pem" }) },
        proofOfPossession: sign("sha256", Buffer.from("release@example.com"), privateKey).toString("base64"),
      },
    }),
  });
  const issued = (await answer.json()) as { signedCertificateEmbeddedSct: { chain: { certificates: string[] } } };
  const [pem = ""] = issued.signedCertificateEmbeddedSct.chain.certificates;
  return Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ""), "base64");
}

/** Through the log's own engine: entries, tiles, tree and checkpoint are those of a log that grew. */
export async function fillRekor(db: Database, data: string, certificate: Uint8Array, entries: number): Promise<void> {
  const { hostname, treeId } = JSON.parse(await readFile(join(data, "installation.json"), "utf8")) as {
    hostname: string;
    treeId: string;
  };
  const signer = await loadKeyFile(join(data, "keys", "rekor.pem"));
  const log = await TransparencyLog.open({
    name: "rekor",
    store: await PostgresLogStore.open(db),
    anchor: await FileAnchor.open(join(data, "anchor"), "rekor"),
    signer: rekorTreeHeadSigner({ hostname, treeId: BigInt(treeId), signer }),
  });
  const key = Buffer.from(certificate).indexOf(Buffer.from("03010703420004", "hex")) + 6;
  for (let at = 0; at < entries; at += IN_FLIGHT) {
    const batch = Array.from({ length: Math.min(IN_FLIGHT, entries - at) }, () => body(certificate, key));
    await Promise.all(
      batch.map((leaf) =>
        log.append({
          identity: leafHash(leaf),
          leaf: () => leaf,
          extra: new Uint8Array(),
          searchKeys: SearchKeys.of([{ column: "key0", bytes: randomBytes(16) }]),
        }),
      ),
    );
  }
  await log.close();
}

function body(certificate: Uint8Array, key: number): Uint8Array {
  const own = Buffer.from(certificate);
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  publicKey.export({ type: "spki", format: "der" }).copy(own, key, 26);
  randomBytes(8).copy(own, 20);
  const spec = {
    data: { hash: { algorithm: "sha256", value: createHash("sha256").update(randomBytes(8)).digest("hex") } },
    signature: {
      content: randomBytes(71).toString("base64"),
      publicKey: { content: Buffer.from(encodePem("CERTIFICATE", own)).toString("base64") },
    },
  };
  return Buffer.from(JSON.stringify({ apiVersion: "0.0.1", kind: "hashedrekord", spec }));
}
