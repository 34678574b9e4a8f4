import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { parsePem } from "@chancery/encoding";
import type { Report } from "../domain/alarm.ts";
import { encodeCertificateRequest } from "../domain/canary/certificate-request.ts";
import { CanaryFault, openV1Answer, openV2Answer, type ProvenAnswer } from "../domain/canary/proven-answer.ts";
import { encodeTimestampRequest, openTimestamp } from "../domain/canary/timestamp.ts";
import { readCertificate } from "../domain/certificate/certificate.ts";
import { embeddedScts, isSctOf } from "../domain/certificate/ct-entry.ts";
import { lintLeaf } from "../domain/certificate/fulcio-profile.ts";
import { isObject, isTexts, member } from "../domain/json-member.ts";
import { sha256 } from "../domain/merkle.ts";
import { HttpLog, WATCHING, type Way } from "../public/http-log.ts";
import type { LogWatch } from "./log-watch.ts";
import { messageOf, Wrong } from "./log-watch.ts";
import type { TrustWatch } from "./trust-watch.ts";

/** Where an identity token of the auditor's own comes from: a file that something keeps fresh, or a URL that answers one. */
export type TokenSource = { readonly file: string } | { readonly url: string };

export interface CanaryView {
  readonly lastSuccess: number | undefined;
  readonly latencyMillis: number | undefined;
  readonly failures: number;
}

interface Around {
  readonly way: Way;
  readonly report: Report;
  readonly now: () => number;
  readonly logs: readonly LogWatch[];
  readonly trust: TrustWatch;
  /** Undefined: entries are signed with a bare key, and no certificate is asked for. */
  readonly token: TokenSource | undefined;
}

const TOLERATED_MS = 90_000;
/** Between this clock and the timestamp authority's, beside the time that the answer took. */
const CLOCK_MS = 1_000;
const TIMESTAMP_QUERY = "application/timestamp-query";

/** What an entry is signed by. */
interface Identity {
  readonly key: KeyObject;
  /** DER of the certificate; undefined for a bare key. */
  readonly certificate: Uint8Array | undefined;
  readonly pem: string;
}

/**
 * Does what a client does, once in a while: a certificate, a signature in each log, a timestamp; and verifies each answer
 * with nothing but the keys that clients are told. What it logs it will find again when the tree grows over it.
 */
export class Canary {
  readonly #server: HttpLog;
  readonly #around: Around;
  #lastSuccess: number | undefined;
  #latencyMillis: number | undefined;
  #failures = 0;

  constructor(url: string, around: Around) {
    this.#server = new HttpLog(url, { ...WATCHING, ...around.way });
    this.#around = around;
  }

  view(): CanaryView {
    return { lastSuccess: this.#lastSuccess, latencyMillis: this.#latencyMillis, failures: this.#failures };
  }

  async sing(): Promise<void> {
    const started = performance.now();
    const passed: boolean[] = [];
    let identity: Identity = bareKey();
    const { token } = this.#around;
    if (token !== undefined) {
      passed.push(
        await this.#step("canary certificate", async () => {
          identity = await this.#issue(await readToken(token, this.#around.way));
          return "a certificate was issued, is in the CT log by its SCT, and keeps to the profile";
        }),
      );
    }
    const artifact = randomBytes(32);
    const digest = sha256(artifact);
    const signature = sign("sha256", artifact, identity.key);
    for (const watch of this.#around.logs.filter(({ log }) => log.kind !== "ctlog")) {
      passed.push(
        await this.#step(`canary entry in ${watch.log.name}`, async () => {
          const answer = await this.#log(watch, identity, digest, signature);
          this.#expectShown(watch, answer);
          return `entry ${answer.index} was logged and verifies offline`;
        }),
      );
    }
    passed.push(await this.#step("canary timestamp", () => this.#stamp(sha256(signature))));
    if (passed.includes(false)) return;
    this.#lastSuccess = this.#around.now();
    this.#latencyMillis = Math.round(performance.now() - started);
  }

  async #log(watch: LogWatch, identity: Identity, digest: Uint8Array, signature: Uint8Array): Promise<ProvenAnswer> {
    const { identity: log, kind } = watch.log;
    if (kind === "rekor") {
      const answer = await this.#server.postJson(
        "/api/v1/log/entries",
        {
          apiVersion: "0.0.1",
          kind: "hashedrekord",
          spec: {
            data: { hash: { algorithm: "sha256", value: digest.toHex() } },
            signature: { content: base64(signature), publicKey: { content: base64(Buffer.from(identity.pem)) } },
          },
        },
        await this.#bearer(),
      );
      return openV1Answer(answer, log, this.#around.now());
    }
    const verifier =
      identity.certificate === undefined
        ? { publicKey: { rawBytes: base64(createPublicKey(identity.key).export({ type: "spki", format: "der" })) } }
        : { x509Certificate: { rawBytes: base64(identity.certificate) } };
    const answer = await this.#server.postJson(
      "/api/v2/log/entries",
      {
        hashedRekordRequestV002: {
          digest: base64(digest),
          signature: { content: base64(signature), verifier: { ...verifier, keyDetails: "PKIX_ECDSA_P256_SHA_256" } },
        },
      },
      await this.#bearer(),
    );
    return openV2Answer(answer, log);
  }

  async #bearer(): Promise<string | undefined> {
    const { token } = this.#around;
    return token === undefined ? undefined : readToken(token, this.#around.way);
  }

  /** What was promised to the canary must not be more than what everyone is shown: two looks later, at the latest. */
  #expectShown(watch: LogWatch, { head }: ProvenAnswer): void {
    this.#promised.set(watch, { size: head.size, since: this.#around.now() });
  }

  /** Called after each look at the logs. */
  async checkPromises(): Promise<void> {
    for (const [watch, { size, since }] of this.#promised) {
      const check = `promises of ${watch.log.name}`;
      if (watch.proven.size >= size) {
        this.#promised.delete(watch);
        this.#around.report.passed(
          check,
          `the tree of ${size} that the canary was shown is the one that all are shown`,
        );
      } else if (this.#around.now() - since > 10_000) {
        const what = `the canary was answered from a tree of ${size}, and ${watch.main.url} goes on showing ${watch.proven.size}`;
        await this.#around.report.failed(check, { trouble: "stale", what });
      }
    }
  }
  readonly #promised = new Map<LogWatch, { readonly size: bigint; readonly since: number }>();

  async #issue(token: string): Promise<Identity> {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const request = base64(Buffer.from(encodeCertificateRequest(privateKey)));
    const answer = await this.#server.postJson("/api/v2/signingCert", {
      credentials: { oidcIdentityToken: token },
      certificateSigningRequest: request,
    });
    const isLogged = isObject(answer) && isObject(answer["signedCertificateEmbeddedSct"]);
    const signed = member(answer, isLogged ? "signedCertificateEmbeddedSct" : "signedCertificateDetachedSct", isObject);
    const [pem = ""] = member(member(signed, "chain", isObject), "certificates", isTexts);
    const [block] = parsePem(pem, "certificate", { labels: ["CERTIFICATE"] });
    const leaf = readCertificate(block?.der ?? new Uint8Array());
    const issuer = this.#around.trust.issuers.find(({ subject }) => Buffer.compare(subject, leaf.issuer) === 0);
    if (issuer === undefined) throw new CanaryFault("the certificate is of a CA that clients do not trust");
    const complaints = lintLeaf(leaf, isLogged ? "certificate" : "unlogged", issuer);
    if (complaints.length > 0) throw new CanaryFault(`the certificate ${complaints.join("; ")}`);
    const ct = this.#around.logs.filter(({ log }) => log.kind === "ctlog").flatMap(({ log }) => log.identity.keys);
    const holds = embeddedScts(leaf).some((sct) => ct.some((key) => isSctOf(sct, key, issuer.spki, leaf)));
    if (isLogged && !holds) throw new CanaryFault("the certificate carries no SCT of a CT log that clients trust");
    return { key: privateKey, certificate: leaf.der, pem };
  }

  async #stamp(digest: Uint8Array): Promise<string> {
    const { now, trust } = this.#around;
    // Positive and minimal, so that it comes back as it went.
    const nonce = randomBytes(8);
    nonce[0] = ((nonce[0] ?? 0) & 0x3f) | 0x40;
    const before = now();
    const answer = await this.#server.post("/api/v1/timestamp", encodeTimestampRequest(digest, nonce), TIMESTAMP_QUERY);
    const after = now();
    if (answer === undefined) throw new CanaryFault("there is no timestamp authority");
    const authorities = trust.authorities?.timestamp.flatMap((chain) => chain.slice(0, 1)) ?? [];
    const time = openTimestamp(answer, { digest, nonce }, authorities).getTime();
    if (time < before - CLOCK_MS || time > after + CLOCK_MS) {
      const off = time < before ? time - before : time - after;
      throw new Wrong("clock", `the timestamp authority's clock is ${off / 1000} s off this one`);
    }
    return `a timestamp was made, verifies offline and is of now`;
  }

  async #step(check: string, work: () => Promise<string>): Promise<boolean> {
    try {
      this.#around.report.passed(check, await work());
      return true;
    } catch (error) {
      this.#failures++;
      const trouble = error instanceof Wrong ? error.trouble : "canary-failed";
      // What does not verify is told at once; what cannot be had may be a restart.
      const isFault = error instanceof CanaryFault || error instanceof Wrong || !isUnavailable(error);
      const toleratedMs = isFault ? 0 : TOLERATED_MS;
      await this.#around.report.failed(check, { trouble, what: `${check}: ${messageOf(error)}`, toleratedMs });
      return false;
    }
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "unavailable";
}

function bareKey(): Identity {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { key: privateKey, certificate: undefined, pem: publicKey.export({ type: "spki", format: "pem" }) };
}

async function readToken(source: TokenSource, { fetch }: Way): Promise<string> {
  if ("file" in source) return (await readFile(source.file, "utf8")).trim();
  const { origin, pathname, search } = new URL(source.url);
  const answer = await new HttpLog(origin, { fetch }).get(pathname + search);
  if (answer === undefined) throw new CanaryFault(`${origin}${pathname} answers no token`);
  return Buffer.from(answer).toString("utf8").trim();
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
