import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import "reflect-metadata";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import * as x509 from "@peculiar/x509";
import { encodePem } from "@chancery/encoding";
import { Forbidden, Unauthenticated } from "@chancery/fault";
import { parseGlob } from "@chancery/identity";
import { parseCertificatesPem } from "@chancery/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Admission, type AdmissionRules } from "../src/domain/admission.ts";
import { hashedrekord } from "./proposals.ts";
import { ENTRIES, startRekor } from "./running-rekor.ts";
import { hashedRekordRequest, newKey, startRekorV2 } from "./running-rekor-v2.ts";

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY = 86_400_000;

interface Shown {
  readonly cert: string;
  readonly key: string;
}

interface Authority {
  readonly pem: string;
  issue(name: string, lifetime?: readonly [number, number], type?: "dns" | "email" | "url"): Promise<Shown>;
}

/** An authority for servers and clients, from an independent library. */
async function anAuthority(commonName: string): Promise<Authority> {
  const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const make = async (subject: string, key: KeyObject, extensions: x509.Extension[], from: number, to: number) => {
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: `01${randomBytes(8).toString("hex")}`,
      subject,
      issuer: `CN=${commonName}`,
      notBefore: new Date(Date.now() + from),
      notAfter: new Date(Date.now() + to),
      signingAlgorithm: P256,
      publicKey: key.toCryptoKey(P256, true, ["verify"]),
      signingKey: own.privateKey.toCryptoKey(P256, true, ["sign"]),
      extensions,
    });
    return encodePem("CERTIFICATE", new Uint8Array(certificate.rawData));
  };
  const isAuthority = [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
  ];
  return {
    pem: await make(`CN=${commonName}`, own.publicKey, isAuthority, -DAY, DAY),
    issue: async (name, [from, to] = [-DAY, DAY], type = "dns") => {
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const cert = await make(
        `CN=${name}`,
        publicKey,
        [new x509.SubjectAlternativeNameExtension([{ type, value: name }])],
        from,
        to,
      );
      return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }) };
    },
  };
}

let folder: string;
let authority: Authority;
let other: Authority;
let tls: { readonly certificate: string; readonly key: string };
let admission: AdmissionRules;
const clients: Record<"good" | "unnamed" | "expired" | "foreign", Shown> = {} as never;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "client-certificates-"));
  [authority, other] = [await anAuthority("clients"), await anAuthority("others")];
  const server = await authority.issue("localhost");
  tls = { certificate: join(folder, "server.pem"), key: join(folder, "server-key.pem") };
  await writeFile(tls.certificate, server.cert);
  await writeFile(tls.key, server.key);
  clients.good = await authority.issue("builder.acme.example");
  clients.unnamed = await authority.issue("desktop.acme.example");
  clients.expired = await authority.issue("builder.acme.example", [-2 * DAY, -DAY]);
  clients.foreign = await other.issue("builder.acme.example");
  const rule = { authorities: parseCertificatesPem(authority.pem, "ca"), names: [parseGlob("builder.*")!] };
  admission = { callers: { tokens: [], certificates: [rule] } };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Both authorities are known to TLS: which of them a log believes is its own matter. */
const edge = () => ({ tls, clientAuthorities: `${authority.pem}${other.pem}` });

const CASES = [
  ["with one of the authority and a name that is let in", "good", 201, status.OK, ""],
  ["without one", undefined, 401, status.UNAUTHENTICATED, "this log takes entries from known callers only"],
  ["with one of another name", "unnamed", 403, status.PERMISSION_DENIED, "has no alternative name that is let in"],
  ["with one that is over", "expired", 401, status.UNAUTHENTICATED, "is not accepted (CERT_HAS_EXPIRED)"],
  ["with one of an authority that counts elsewhere", "foreign", 401, status.UNAUTHENTICATED, "is of an authority"],
] as const;

describe("a log that takes entries from holders of client certificates", () => {
  test.for(CASES)("answers a client %s, over HTTPS", async ([, name, expected, , said]) => {
    await using rekor = await startRekor({ admission }, edge());
    expect(rekor.url).toMatch(/^https:/);
    const answer = await postTls(rekor.url, ENTRIES, await hashedrekord(), name && clients[name]);
    expect(answer.status, answer.text).toBe(expected);
    expect(answer.text).toContain(said);
    expect((await rekor.log.published()).head.size).toBe(expected === 201 ? 1n : 0n);
  });

  test.for(CASES)("answers a client %s, over gRPC", async ([, name, , expected]) => {
    await using rekor = await startRekorV2("ed25519", {
      admission,
      grpc: { port: 0, tls },
      clientAuthorities: edge().clientAuthorities,
    });
    const shown = name && clients[name];
    const [key, cert] = [shown?.key, shown?.cert].map((pem) => (pem === undefined ? null : Buffer.from(pem)));
    const secure = credentials.createSsl(Buffer.from(authority.pem), key, cert);
    const client = new Client(rekor.service.grpcAddress!, secure, { "grpc.ssl_target_name_override": "localhost" });
    const error = await createEntry(client);
    client.close();
    expect(error?.code ?? status.OK, error?.details).toBe(expected);
  });

  test("reads are for everyone, and need none", async () => {
    await using rekor = await startRekor({ admission }, edge());
    const answer = await postTls(rekor.url, `${ENTRIES}/retrieve`, { logIndexes: [0] }, undefined);
    expect(answer.status).toBe(200);
  });

  test("a client that comes back by a resumed session is known again", async () => {
    await using rekor = await startRekor({ admission }, edge());
    let session: Buffer | undefined;
    const once = async () => {
      const answer = await postTls(rekor.url, ENTRIES, await hashedrekord(), clients.good, session, (made) => {
        session = made;
      });
      return answer.status;
    };
    expect([await once(), await once(), await once()]).toEqual([201, 201, 201]);
  });
});

test.for([
  ["dns", "builder.acme.example", "builder.*", true],
  ["email", "builder.x@evil.example", "builder.*", false],
  ["url", "builder.x:evil", "builder.*", false],
  ["dns", "builder.acme.example", "email:builder.*", false],
  ["dns", "email:builder.x", "email:builder.*", false],
  ["email", "builder.x@acme.example", "email:builder.*@acme.example", true],
  ["url", "spiffe://acme/builder", "uri:spiffe://acme/*", true],
] as const)("a name of type %s, %s, is held to the pattern %s: %s", async ([type, name, pattern, isLetIn]) => {
  const { cert } = await authority.issue(name, undefined, type);
  const der = parseCertificatesPem(cert, "client")[0]!.der;
  const rule = { authorities: parseCertificatesPem(authority.pem, "ca"), names: [parseGlob(pattern)!] };
  const asked = new Admission({ callers: { tokens: [], certificates: [rule] } }).assertCaller({ certificate: der });
  if (isLetIn) await asked;
  else await expect(asked).rejects.toThrow(Forbidden);
});

test("a client certificate that ends while its connection stays open is not taken any more", async () => {
  const der = parseCertificatesPem(clients.good.cert, "client")[0]!.der;
  let now = Date.now();
  const log = new Admission(admission, () => now);
  await log.assertCaller({ certificate: der });
  now += 2 * DAY;
  await expect(log.assertCaller({ certificate: der })).rejects.toThrow(Unauthenticated);
});

function postTls(
  origin: string,
  path: string,
  body: unknown,
  shown: Shown | undefined,
  session?: Buffer,
  onSession: (session: Buffer) => void = () => {},
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const options = {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      ca: authority.pem,
      servername: "localhost",
      agent: false,
      ...shown,
      ...(session && { session }),
    };
    const sent = request(`${origin}${path}`, options, (answer) => {
      let text = "";
      answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
      answer.on("end", () => resolve({ status: answer.statusCode, text }));
    });
    sent.on("socket", (socket) => socket.on("session", onSession));
    sent.on("error", reject).end(JSON.stringify(body));
  });
}

const description = loadSync("rekor_v2.proto", {
  includeDirs: [fileURLToPath(new URL("../proto/", import.meta.url))],
  defaults: true,
  enums: String,
  longs: String,
});

interface Method {
  readonly path: string;
  readonly requestSerialize: (message: object) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

function createEntry(client: Client): Promise<ServiceError | null> {
  const methods = description["dev.sigstore.rekor.v2.Rekor"] as unknown as Readonly<Record<string, Method>>;
  const { path, requestSerialize, responseDeserialize } = methods["CreateEntry"]!;
  const key = newKey();
  const { digest, signature } = hashedRekordRequest("over TLS", key).hashedRekordRequestV002;
  const message = {
    hashedRekordRequestV002: {
      digest: Buffer.from(digest, "base64"),
      signature: {
        content: Buffer.from(signature.content, "base64"),
        verifier: { publicKey: { rawBytes: key.spki }, keyDetails: key.keyDetails },
      },
    },
  };
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, new Metadata(), (error) =>
      resolve(error),
    );
  });
}
