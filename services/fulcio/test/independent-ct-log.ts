import { createHash, generateKeyPairSync, type KeyObject, sign, verify, X509Certificate } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/*
 * A CT log that shares no line with ours: its own reader of certificates, its own encoding of what is signed, Node's
 * OpenSSL for everything else.
 */

const POISON = Buffer.from("060a2b06010401d679020403", "hex");
const SCT_LIST = Buffer.from("060a2b06010401d679020402", "hex");
const SEQUENCE = 0x30;
const EXTENSIONS = 0xa3;

/** What c2sp.org/static-ct-api adds to RFC 6962: where in the log the entry is, in the SCT itself. */
export type LogKind = "RFC 6962" | "static-ct-api";

export interface EmbeddedSct {
  readonly logId: Buffer;
  readonly extensions: Buffer;
  /** Under the log's key, over the certificate that it stands in. */
  readonly isValid: boolean;
}

export class IndependentCtLog implements AsyncDisposable {
  readonly #kind: LogKind;
  readonly #key: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  readonly #root: X509Certificate;
  readonly #server: Server;
  /** The TBSCertificate of each precertificate, without its poison. */
  readonly entries: Buffer[] = [];

  private constructor(kind: LogKind, keyType: "ec" | "rsa", root: Uint8Array) {
    this.#kind = kind;
    this.#root = new X509Certificate(root);
    this.#key =
      keyType === "ec"
        ? generateKeyPairSync("ec", { namedCurve: "P-256" })
        : generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        if (request.method !== "POST" || request.url !== "/shard/ct/v1/add-pre-chain") {
          response.writeHead(404).end();
          return;
        }
        try {
          const { chain } = JSON.parse(Buffer.concat(chunks).toString()) as { chain: string[] };
          const answer = this.#addPreChain(chain.map((text) => Buffer.from(text, "base64")));
          response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
        } catch (error) {
          response.writeHead(400).end(String(error));
        }
      });
    });
  }

  static async start(kind: LogKind, keyType: "ec" | "rsa", root: Uint8Array): Promise<IndependentCtLog> {
    const log = new IndependentCtLog(kind, keyType, root);
    await new Promise<void>((resolve) => log.#server.listen(0, "127.0.0.1", resolve));
    return log;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/shard`;
  }

  get spki(): Uint8Array {
    return new Uint8Array(this.#key.publicKey.export({ type: "spki", format: "der" }));
  }

  get logId(): Buffer {
    return sha256(this.spki);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** RFC 6962, Section 4.2: a precertificate, then what leads to a root of this log. */
  #addPreChain(ders: readonly Buffer[]): object {
    const [leaf, ...authorities] = ders.map((der) => new X509Certificate(der));
    const [der] = ders;
    const [issuer] = authorities;
    if (leaf === undefined || der === undefined || issuer === undefined) throw new Error("no chain");
    for (const [at, certificate] of [leaf, ...authorities].entries()) {
      const above = [leaf, ...authorities][at + 1] ?? this.#root;
      if (!certificate.checkIssued(above) || !certificate.verify(above.publicKey)) throw new Error(`chain: ${at}`);
    }
    const tbs = tbsWithout(der, POISON);
    const index = this.entries.push(tbs) - 1;
    const timestamp = Date.now();
    const extensions = this.#kind === "static-ct-api" ? leafIndex(index) : Buffer.alloc(0);
    const signature = sign("sha256", signedData(timestamp, keyHash(issuer), tbs, extensions), this.#key.privateKey);
    const algorithm = this.#key.privateKey.asymmetricKeyType === "rsa" ? 1 : 3;
    return {
      sct_version: 0,
      id: this.logId.toString("base64"),
      timestamp,
      extensions: extensions.toString("base64"),
      signature: Buffer.concat([Buffer.of(4, algorithm), uint(signature.length, 2), signature]).toString("base64"),
    };
  }

  /** The SCT that a certificate carries, checked as a client does. RFC 6962, Sections 3.2 and 3.3. */
  embeddedSct(certificate: Uint8Array, issuer: Uint8Array): EmbeddedSct {
    const der = Buffer.from(certificate);
    const octets = children(extensionsOf(der).find((extension) => extension.includes(SCT_LIST))!).at(-1)!;
    const list = contentOf(contentOf(octets));
    const sct = list.subarray(4, 4 + list.readUInt16BE(2));
    const timestamp = Number(sct.readBigUInt64BE(33));
    const extensions = sct.subarray(43, 43 + sct.readUInt16BE(41));
    const signature = sct.subarray(43 + extensions.length + 4);
    const message = signedData(timestamp, keyHash(new X509Certificate(issuer)), this.tbsOf(certificate), extensions);
    const isValid =
      list.length === 4 + sct.length && sct[0] === 0 && verify("sha256", message, this.#key.publicKey, signature);
    return { logId: sct.subarray(1, 33), extensions, isValid };
  }

  /** What the certificate has in common with its precertificate. */
  tbsOf(certificate: Uint8Array): Buffer {
    return tbsWithout(Buffer.from(certificate), SCT_LIST);
  }
}

/** `leaf_index(0)`, two octets of length, and the index in 40 bits. */
export function leafIndex(index: number): Buffer {
  return Buffer.concat([Buffer.of(0, 0, 5), uint(index, 5)]);
}

function signedData(timestamp: number, issuerKeyHash: Buffer, tbs: Buffer, extensions: Buffer): Buffer {
  const entry = [uint(1, 2), issuerKeyHash, uint(tbs.length, 3), tbs];
  return Buffer.concat([Buffer.of(0, 0), uint(timestamp, 8), ...entry, uint(extensions.length, 2), extensions]);
}

function uint(value: number, width: number): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * width, "0"), "hex");
}

function keyHash(certificate: X509Certificate): Buffer {
  return sha256(certificate.publicKey.export({ type: "spki", format: "der" }));
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/** A certificate's TBSCertificate, written anew without one of its extensions. */
function tbsWithout(certificate: Buffer, oid: Buffer): Buffer {
  const fields = children(children(certificate)[0]!);
  const kept = extensionsOf(certificate).filter((extension) => !extension.includes(oid));
  if (kept.length !== extensionsOf(certificate).length - 1) throw new Error("the extension is not there once");
  const extensions = tlv(EXTENSIONS, tlv(SEQUENCE, Buffer.concat(kept)));
  return tlv(SEQUENCE, Buffer.concat([...fields.slice(0, -1), extensions]));
}

function extensionsOf(certificate: Buffer): Buffer[] {
  return children(contentOf(children(children(certificate)[0]!).at(-1)!));
}

function headerOf(value: Buffer): { header: number; length: number } {
  const first = value[1]!;
  if (first < 0x80) return { header: 2, length: first };
  return { header: 2 + (first & 0x7f), length: value.readUIntBE(2, first & 0x7f) };
}

function contentOf(value: Buffer): Buffer {
  const { header, length } = headerOf(value);
  return value.subarray(header, header + length);
}

function children(value: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let rest = contentOf(value); rest.length > 0;) {
    const { header, length } = headerOf(rest);
    found.push(rest.subarray(0, header + length));
    rest = rest.subarray(header + length);
  }
  return found;
}

function tlv(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const octets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...octets), content]);
}
