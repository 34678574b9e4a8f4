import { hash } from "node:crypto";
import { DerReader } from "@chancery/encoding";
import { type AlternativeName, type Certificate, extensionOf, isSignedBy, keyOf, typedNames } from "./certificate.ts";
import { judgeKey } from "./key-policy.ts";

/** Which of a pair: the precertificate carries the poison, the certificate the SCT list. */
export type LeafForm = "precertificate" | "certificate" | "unlogged";

export const POISON = "1.3.6.1.4.1.11129.2.4.3";
export const SCT_LIST = "1.3.6.1.4.1.11129.2.4.2";
const FULCIO_ARC = "1.3.6.1.4.1.57264.1.";
/** Key usage, extended key usage, subject and authority key identifier, alternative name: in this order. */
const FIRST = ["2.5.29.15", "2.5.29.37", "2.5.29.14", "2.5.29.35", "2.5.29.17"];
const LIFETIME_MS = 10 * 60_000;
const EMPTY_NAME = "3000";
/** BIT STRING of digitalSignature alone; SEQUENCE of id-kp-codeSigning. */
const DIGITAL_SIGNATURE = "03020780";
const CODE_SIGNING = "300a06082b06010505070303";

/** What departs from the profile of a Fulcio leaf; empty where nothing does. `issuer` is the CA's own certificate. */
export function lintLeaf(leaf: Certificate, form: LeafForm, issuer: Certificate): string[] {
  return [...lintFields(leaf, issuer), ...lintExtensions(leaf, form), ...lintIdentifiers(leaf, issuer)];
}

function lintFields(leaf: Certificate, issuer: Certificate): string[] {
  const life = leaf.notAfter.getTime() - leaf.notBefore.getTime();
  const key = judgeKey(leaf.spki);
  return [
    ...unless(leaf.version === 2n, "is not of version 3"),
    ...unless(
      isGoodSerial(leaf.serial),
      `has the serial ${leaf.serial.toHex()}, not 8 to 20 octets of a positive number`,
    ),
    ...unless(life > 0 && life <= LIFETIME_MS, `lives for ${life / 1000} s`),
    ...unless(leaf.subject.toHex() === EMPTY_NAME, "has a subject"),
    ...unless(Buffer.compare(leaf.issuer, issuer.subject) === 0, "names another issuer"),
    ...unless(Buffer.compare(leaf.algorithm, leaf.innerAlgorithm) === 0, "names two signature algorithms"),
    ...unless(leaf.notBefore >= issuer.notBefore && leaf.notAfter <= issuer.notAfter, "outlives its issuer"),
    ...unless(isSignedBy(leaf, keyOf(issuer)), "is not signed by its issuer"),
    ...(typeof key === "string" ? [`has a key that ${key}`] : []),
  ];
}

/** Two's complement, so that a first octet above 7f would be negative. */
function isGoodSerial(serial: Uint8Array): boolean {
  return serial.length >= 8 && serial.length <= 20 && (serial[0] ?? 0xff) < 0x80;
}

function lintExtensions(leaf: Certificate, form: LeafForm): string[] {
  const oids = leaf.extensions.map(({ oid }) => oid);
  const last = form === "precertificate" ? [POISON] : form === "certificate" ? [SCT_LIST] : [];
  const own = oids.filter((oid) => oid.startsWith(FULCIO_ARC));
  const arcs = own.map((oid) => Number(oid.slice(FULCIO_ARC.length)));
  const expected = [...FIRST, ...own, ...last];
  return [
    ...unless(oids.join() === expected.join(), `has the extensions ${oids.join(", ")}`),
    ...unless(ascends(arcs) && arcs.every((arc) => arc <= 24 && arc !== 7), "has extensions of the CA out of order"),
    ...unless(value(leaf, "2.5.29.15") === DIGITAL_SIGNATURE, "has another key usage than digitalSignature"),
    ...unless(value(leaf, "2.5.29.37") === CODE_SIGNING, "has another extended key usage than codeSigning"),
    ...unless(form !== "precertificate" || value(leaf, POISON) === "0500", "has a poison that is not NULL"),
    ...leaf.extensions
      .filter(({ oid, critical }) => critical !== isCritical(oid))
      .map(({ oid }) => `has ${oid} with another criticality`),
    ...lintClaims(leaf, own),
  ];
}

function isCritical(oid: string): boolean {
  return oid === "2.5.29.15" || oid === "2.5.29.17" || oid === POISON;
}

function ascends(numbers: readonly number[]): boolean {
  return numbers.every((number, at) => at === 0 || number > (numbers[at - 1] ?? Infinity));
}

/** What the token said: not empty, in its encoding, the issuer in both of its forms. */
function lintClaims(leaf: Certificate, own: readonly string[]): string[] {
  const texts = new Map(own.map((oid) => [oid, claim(leaf, oid)]));
  const [raw, text] = [texts.get(`${FULCIO_ARC}1`), texts.get(`${FULCIO_ARC}8`)];
  const wrong = [...texts].filter(([, found]) => found === undefined || found === "").map(([oid]) => oid);
  return [
    ...unless(raw !== undefined && raw === text, "names no issuer, or two"),
    ...unless(wrong.length === 0, `has claims that are empty or no text: ${wrong.join(", ")}`),
    ...unless(namesOf(leaf).length === 1, `has ${namesOf(leaf).length} alternative names`),
  ];
}

export function namesOf(leaf: Certificate): AlternativeName[] {
  try {
    return typedNames(leaf);
  } catch {
    return [];
  }
}

export function issuerClaim(leaf: Certificate): string | undefined {
  return claim(leaf, `${FULCIO_ARC}8`);
}

/** `sub` of the token. */
export function subjectClaim(leaf: Certificate): string | undefined {
  return claim(leaf, `${FULCIO_ARC}24`);
}

/** The first six are bare text, the others DER UTF8String. */
function claim(leaf: Certificate, oid: string): string | undefined {
  const extension = extensionOf(leaf, oid);
  if (extension === undefined) return undefined;
  try {
    if (Number(oid.slice(FULCIO_ARC.length)) <= 6)
      return new TextDecoder("utf-8", { fatal: true }).decode(extension.value);
    const reader = new DerReader(extension.value, oid);
    const text = reader.tag() === 0x0c ? reader.string() : undefined;
    reader.end();
    return text;
  } catch {
    return undefined;
  }
}

/** RFC 5280, Section 4.2.1.2, method 1: the SHA-1 of the key's bits. */
function lintIdentifiers(leaf: Certificate, issuer: Certificate): string[] {
  const key = new DerReader(leaf.spki, "key").sequence();
  key.any();
  const subject = `0414${hash("sha1", key.bitString().bytes, "hex")}`;
  const authority = value(issuer, "2.5.29.14")?.slice(4) ?? "";
  const length = (authority.length / 2).toString(16).padStart(2, "0");
  const inside = `80${length}${authority}`;
  const whole = `30${(inside.length / 2).toString(16).padStart(2, "0")}${inside}`;
  return [
    ...unless(value(leaf, "2.5.29.14") === subject, "has a subject key identifier of another key"),
    ...unless(value(leaf, "2.5.29.35") === whole, "has an authority key identifier of another issuer"),
  ];
}

function value(certificate: Certificate, oid: string): string | undefined {
  return extensionOf(certificate, oid)?.value.toHex();
}

function unless(holds: boolean, complaint: string): string[] {
  return holds ? [] : [complaint];
}
