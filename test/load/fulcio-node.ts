import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createKeyFile, type Signer } from "@chancery/crypto";
import { FulcioModule, type IssuedEntry, MemoryIssuanceLedger, parseFulcioConfig } from "@chancery/fulcio";
import { createLogger, createService } from "@chancery/service";
import { createRootAuthority, parseCertificate } from "@chancery/x509";

const logger = createLogger().child({ from: "fulcio" });

/** There is no database here: of each certificate the line in the log, as the whole program writes it. */
class LinesOnly extends MemoryIssuanceLedger {
  override async recordIssued({ issuer, subject, san, serial }: IssuedEntry): Promise<void> {
    logger.info({ outcome: "issued", issuer, subject, name: san.value, serial: serial.toHex() }, "issuance");
  }
}

/** Fulcio alone without a CT log, which the whole program never runs without: says where it listens, until SIGTERM. */
const [configFile = "", directory = ""] = process.argv.slice(2);
const signer = await createKeyFile(join(directory, "authority.pem"), "ecdsa-p256");
const service = await createService({
  logger,
  modules: [
    FulcioModule.forRoot(
      { ...parseFulcioConfig(await readFile(configFile, "utf8")), allowLoopbackHttp: true },
      { issuer: { chain: [await root(signer)], signer }, ledger: new LinesOnly() },
    ),
  ],
});
process.once("SIGTERM", () => void service.close());
process.once("disconnect", () => void service.close());
process.channel?.unref();
process.stdout.write(`${service.url}\n`);

async function root(key: Signer) {
  const validity = { notBefore: new Date(), notAfter: new Date(Date.now() + 86_400_000) };
  const subject = { organization: "bench", commonName: "bench" };
  return parseCertificate(await createRootAuthority({ ...validity, subject, signer: key }), "authority");
}
