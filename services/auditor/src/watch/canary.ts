import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { parsePem } from "@chancery/encoding";
import type { Report } from "../domain/alarm.ts";
import type { CanaryKey } from "../domain/canary/canary-key.ts";
import { encodeCertificateRequest } from "../domain/canary/certificate-request.ts";
import { expectOwnEntry } from "../domain/canary/own-entry.ts";
import { CanaryFault, openV1Answer, openV2Answer, type ProvenAnswer } from "../domain/canary/proven-answer.ts";
import { encodeTimestampRequest, openTimestamp } from "../domain/canary/timestamp.ts";
import { alternativeNames, readCertificate } from "../domain/certificate/certificate.ts";
import { embeddedScts, isSctOf } from "../domain/certificate/ct-entry.ts";
import { lintLeaf } from "../domain/certificate/fulcio-profile.ts";
import { isObject, isTexts, member } from "../domain/json-member.ts";
import { sha256 } from "../domain/merkle.ts";
import type { NamedMemory } from "../domain/named-memory.ts";
import { HttpLog, Refused, WATCHING, type Way } from "../public/http-log.ts";
import { type LogKind, shardNumber } from "../public/served-log.ts";
import { awayFinding } from "./away.ts";
import { CanaryHistory } from "./canary-history.ts";
import type { CanaryKeys } from "./canary-keys.ts";
import type { LogWatch } from "./log-watch.ts";
import type { PromisedCertificates } from "./promised-certificates.ts";
import type { TrustWatch } from "./trust-watch.ts";
import { messageOf, Wrong } from "./wrong.ts";

/** Where an identity token of the auditor's own comes from: a file that something keeps fresh, or a URL that answers one. */
export type TokenSource = { readonly file: string } | { readonly url: string };

export interface CanaryView {
  readonly lastSuccess: number | undefined;
  readonly latencyMillis: number | undefined;
  readonly failures: number;
  /** The names in its last certificate, by which pages tell its entries from others'. */
  readonly identities: readonly string[];
}

/** What is not to be asked, and why: a log that is restricted on purpose is no alarm. */
export type LeftOut = Readonly<Partial<Record<LogKind, string>>>;

interface Around {
  readonly way: Way;
  readonly report: Report;
  readonly now: () => number;
  readonly logs: () => readonly LogWatch[];
  readonly trust: TrustWatch;
  readonly memory: NamedMemory;
  readonly keys: CanaryKeys;
  readonly promised: PromisedCertificates;
  /** Undefined: entries are signed with a bare key, and no certificate is asked for. */
  readonly token: TokenSource | undefined;
  readonly leftOut: LeftOut;
}

const CERTIFICATE = "canary certificate";
const TOLERATED_MS = 90_000;
/** Between this clock and the timestamp authority's, beside the time that the answer took. */
const CLOCK_MS = 1_000;
const TIMESTAMP_QUERY = "application/timestamp-query";

/** What an entry is signed by. */
interface Identity {
  readonly kind: CanaryKey;
  readonly key: KeyObject;
  /** DER of the certificate; undefined for a bare key. */
  readonly certificate: Uint8Array | undefined;
  readonly pem: string;
}

/** What one round logs, everywhere the same. */
interface Song {
  readonly identity: Identity;
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Does what a client does, once in a while: a certificate, a signature in each log, a timestamp; and verifies each answer
 * with nothing but the keys that clients are told. What it logs it will find again when the tree grows over it.
 */
export class Canary {
  readonly #server: HttpLog;
  readonly #around: Around;
  readonly #history: CanaryHistory;
  #lastSuccess: number | undefined;
  #latencyMillis: number | undefined;
  #failures = 0;
  #identities: readonly string[] = [];
  /** In this round. */
  #logged = 0;

  constructor(url: string, around: Around) {
    this.#server = new HttpLog(url, { ...WATCHING, ...around.way });
    this.#around = around;
    this.#history = new CanaryHistory(around.memory, around.now);
  }

  view(): CanaryView {
    const [lastSuccess, latencyMillis] = [this.#lastSuccess, this.#latencyMillis];
    return { lastSuccess, latencyMillis, failures: this.#failures, identities: this.#identities };
  }

  async sing(): Promise<void> {
    const started = performance.now();
    const passed: boolean[] = [];
    let identity: Identity = bareKey(this.#history.key);
    const { token, report, keys } = this.#around;
    this.#logged = 0;
    // A full disk is an alarm of its own; the canary sings on, and pages show it.
    await keys.add(sha256(publicHalf(identity.key)).toHex()).catch(() => {});
    if (token === undefined) {
      const how = "chancery.auditor.canary.token-file, or --token-file of an auditor that stands alone";
      report.notAsked(CERTIFICATE, `no certificate is asked for: the canary has no identity token (${how})`);
    } else {
      passed.push(
        await this.#step(CERTIFICATE, identity, async () => {
          identity = await this.#issue(identity, await readToken(token, this.#around.way));
          return "a certificate was issued, carries an SCT of the CT log, and keeps to the profile";
        }),
      );
    }
    const { hash } = identity.kind;
    const artifact = randomBytes(32);
    const signature = sign(hash, artifact, identity.key);
    const song = { identity, digest: createHash(hash).update(artifact).digest(), signature };
    const logs = this.#around.logs();
    const newest = Math.max(...logs.map(({ log }) => shardNumber(log.name) ?? 0));
    for (const watch of logs) {
      if (watch.log.kind === "ctlog") continue;
      if ((shardNumber(watch.log.name) ?? newest) < newest) this.#tellFollowed(watch);
      else passed.push(await this.#write(watch, song));
    }
    passed.push(await this.#step("canary timestamp", identity, () => this.#stamp(sha256(signature))));
    // What is kept out of every log has shown nothing of them.
    if (passed.includes(false) || this.#logged === 0) return;
    this.#lastSuccess = this.#around.now();
    this.#latencyMillis = Math.round(performance.now() - started);
  }

  #tellFollowed({ log: { name } }: LogWatch): void {
    this.#around.report.notAsked(
      `canary entry in ${name}`,
      "nothing is written into this shard: another one followed it",
    );
  }

  async #write(watch: LogWatch, song: Song): Promise<boolean> {
    const check = `canary entry in ${watch.log.name}`;
    const leftOut = this.#around.leftOut[watch.log.kind];
    if (leftOut !== undefined) {
      this.#around.report.notAsked(check, `nothing is written into this log: ${leftOut}`);
      return true;
    }
    return this.#step(check, song.identity, async () => {
      const answer = await this.#log(watch, song);
      // What was promised to the canary is judged like every other checkpoint, until what everyone is shown proves it.
      await watch.folder.keepUnproven(answer.note);
      this.#logged++;
      return `entry ${answer.index} was logged and verifies offline`;
    });
  }

  async #log(watch: LogWatch, song: Song): Promise<ProvenAnswer> {
    const answer = await this.#ask(watch, song);
    const { identity, digest, signature } = song;
    expectOwnEntry(answer.body, { digest, signature, verifier: identity.certificate ?? publicHalf(identity.key) });
    return answer;
  }

  async #ask(watch: LogWatch, { identity, digest, signature }: Song): Promise<ProvenAnswer> {
    const { identity: log, kind } = watch.log;
    const { hash, keyDetails } = identity.kind;
    if (kind === "rekor") {
      const answer = await this.#server.postJson(
        "/api/v1/log/entries",
        {
          apiVersion: "0.0.1",
          kind: "hashedrekord",
          spec: {
            data: { hash: { algorithm: hash, value: digest.toHex() } },
            signature: { content: base64(signature), publicKey: { content: base64(Buffer.from(identity.pem)) } },
          },
        },
        await this.#bearer(),
      );
      return openV1Answer(answer, log, this.#around.now());
    }
    const verifier =
      identity.certificate === undefined
        ? { publicKey: { rawBytes: base64(publicHalf(identity.key)) } }
        : { x509Certificate: { rawBytes: base64(identity.certificate) } };
    const answer = await this.#server.postJson(
      "/api/v2/log/entries",
      {
        hashedRekordRequestV002: {
          digest: base64(digest),
          signature: { content: base64(signature), verifier: { ...verifier, keyDetails } },
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

  async #issue({ key, kind }: Identity, token: string): Promise<Identity> {
    const request = base64(Buffer.from(encodeCertificateRequest(key, kind)));
    const answer = await this.#server.postJson("/api/v2/signingCert", {
      credentials: { oidcIdentityToken: token },
      certificateSigningRequest: request,
    });
    const isLogged = isObject(answer) && isObject(answer["signedCertificateEmbeddedSct"]);
    const signed = member(answer, isLogged ? "signedCertificateEmbeddedSct" : "signedCertificateDetachedSct", isObject);
    const [pem = ""] = member(member(signed, "chain", isObject), "certificates", isTexts);
    const [block] = parsePem(pem, "certificate", { labels: ["CERTIFICATE"] });
    const leaf = readCertificate(block?.der ?? new Uint8Array());
    if (Buffer.compare(leaf.spki, publicHalf(key)) !== 0) {
      throw new CanaryFault("the certificate that came back is for another key than the one that was shown");
    }
    const issuer = this.#around.trust.issuers.find(({ subject }) => Buffer.compare(subject, leaf.issuer) === 0);
    if (issuer === undefined) throw new CanaryFault("the certificate is of a CA that clients do not trust");
    const complaints = lintLeaf(leaf, isLogged ? "certificate" : "unlogged", issuer);
    if (complaints.length > 0) throw new CanaryFault(`the certificate ${complaints.join("; ")}`);
    const isHeldBy = (keys: readonly KeyObject[]) =>
      embeddedScts(leaf).some((sct) => keys.some((own) => isSctOf(sct, own, issuer.spki, leaf)));
    if (isLogged && !isHeldBy(this.#trustedCtKeys())) {
      throw new CanaryFault("the certificate carries no SCT of a CT log that clients trust");
    }
    const watched = this.#around.logs().filter(({ log }) => log.kind === "ctlog");
    if (isHeldBy(watched.flatMap(({ log }) => log.identity.keys))) {
      await this.#around.promised.promise(leaf, this.#around.now());
    }
    this.#identities = alternativeNames(leaf);
    return { key, kind, certificate: leaf.der, pem };
  }

  /** Another's CT log is not watched, and clients trust it all the same. */
  #trustedCtKeys(): KeyObject[] {
    const keys = this.#around.trust.authorities?.ctLogKeys ?? [];
    return keys.map((key) => createPublicKey({ key: Buffer.from(key, "base64"), format: "der", type: "spki" }));
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

  async #step(check: string, identity: Identity, work: () => Promise<string>): Promise<boolean> {
    const { report } = this.#around;
    try {
      const told = await work();
      if ((await this.#history.standing(check)) === "frozen") {
        throw new Wrong("changed-state", `${check}: what was frozen for ever takes entries again`);
      }
      await this.#history.taken(check);
      report.passed(check, told);
      return true;
    } catch (error) {
      if (error instanceof Refused && isByRule(error)) return this.#refused(check, identity, error);
      this.#failures++;
      const trouble = error instanceof Wrong ? error.trouble : "canary-failed";
      // What does not verify is told at once; what cannot be had may be a restart.
      const isFault = error instanceof CanaryFault || error instanceof Wrong || !isUnavailable(error);
      const finding = isFault
        ? { trouble, what: `${check}: ${messageOf(error)}` }
        : awayFinding(`${check} could not be made`, error, { toleratedMs: TOLERATED_MS });
      await report.failed(check, finding);
      return false;
    }
  }

  /** Resolves to whether nothing is wrong with it. */
  async #refused(check: string, { kind, certificate }: Identity, error: Refused): Promise<boolean> {
    const { report, token } = this.#around;
    const said = `${error.message}${error.said === "" ? "" : ` (${error.said})`}`;
    if (error.status === FROZEN) return this.#isFrozen(check, said);
    if (token !== undefined && certificate === undefined && check !== CERTIFICATE) {
      report.unknown(check, `${said}; there was no certificate to sign with`);
      return true;
    }
    const refusal = await this.#history.refused(check, kind, error.status);
    if (refusal !== "no longer") {
      report.unknown(check, `${said}; ${REFUSALS[refusal]}`);
      return true;
    }
    this.#failures++;
    await report.failed(check, { trouble: "canary-refused", what: `${check}: ${said}` });
    return false;
  }

  /** Told once, when it comes: what is frozen is as it should be for ever after. */
  async #isFrozen(check: string, said: string): Promise<boolean> {
    const before = await this.#history.standing(check);
    await this.#history.frozen(check);
    if (before !== "taken") this.#around.report.notAsked(check, `the log is frozen: ${said}`);
    else await this.#around.report.failed(check, { trouble: "frozen", what: `${check}: ${said}` });
    return true;
  }
}

/** 405, as upstream's logs and ours. */
const FROZEN = 405;
const BY_RULE = new Set([400, 401, 403, FROZEN, 422, 429, 501]);

const REFUSALS = {
  "this key": "another kind of key is tried next",
  "as often as it may": "it is tried again",
  "as always": "nothing of this auditor was ever taken, so it is taken for a rule",
} as const;

function isByRule({ status }: Refused): boolean {
  return BY_RULE.has(status);
}

function isUnavailable(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "unavailable";
}

function bareKey(kind: CanaryKey): Identity {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: kind.name });
  return { key: privateKey, kind, certificate: undefined, pem: publicKey.export({ type: "spki", format: "pem" }) };
}

async function readToken(source: TokenSource, { fetch, signal }: Way): Promise<string> {
  if ("file" in source) return (await readFile(source.file, "utf8")).trim();
  const { origin, pathname, search } = new URL(source.url);
  const answer = await new HttpLog(origin, { fetch, signal }).get(pathname + search);
  if (answer === undefined) throw new CanaryFault(`${origin}${pathname} answers no token`);
  return Buffer.from(answer).toString("utf8").trim();
}

/** DER of its SubjectPublicKeyInfo. */
function publicHalf(key: KeyObject): Uint8Array {
  return createPublicKey(key).export({ type: "spki", format: "der" });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
