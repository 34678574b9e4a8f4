import { encodeHex, encodeRfc3339 } from "@chancery/encoding";
import type { CertificateFacts } from "../../domain/search/certificate-facts.ts";
import type { SignerFacts, StatementFacts } from "../../domain/search/entry-facts.ts";
import type { CompleteTo, FoundEntry, NamedLog } from "../../domain/search/searched-log.ts";

/** An entry as the search API tells it. */
export function encodeFoundEntry({ log, entry, facts }: FoundEntry<NamedLog>) {
  return {
    log: log.name,
    logIndex: String(log.first + entry.index),
    entryId: log.entryId(entry),
    time: encodeTime(entry.time),
    kind: facts.kind,
    apiVersion: facts.apiVersion,
    digests: facts.digests,
    signers: facts.signers.map(encodeSigner),
    ...(facts.statement && { attestation: encodeStatement(facts.statement) }),
  };
}

/** The published trees up to which an answer holds all there is; apart, those of which it may not. */
export function encodeComplete(trees: readonly CompleteTo[]) {
  const partly = trees.filter(({ unindexed }) => unindexed > 0n);
  return {
    complete: trees.filter(({ unindexed }) => unindexed === 0n).map(encodeTree),
    ...(partly.length > 0 && {
      incomplete: partly.map((tree) =>
        Object.assign(encodeTree(tree), { unindexed: String(tree.unindexed), remedy: "chancery index rebuild" }),
      ),
    }),
  };
}

function encodeTree({ log, checkpoint: { head } }: CompleteTo) {
  return { log: log.name, origin: log.log.key.origin, size: String(head.size), root: encodeHex(head.root) };
}

/** RFC 3339 in UTC, to the second. */
export function encodeTime(time: number | Date): string {
  return encodeRfc3339(Number(time));
}

function encodeSigner({ format, keyFingerprint, algorithm, certificate }: SignerFacts) {
  return {
    format,
    keyFingerprint,
    ...(algorithm !== undefined && { algorithm }),
    ...(certificate && { certificate: encodeCertificate(certificate) }),
  };
}

function encodeCertificate({ sans, issuer, serial, notBefore, notAfter, extensions }: CertificateFacts) {
  return {
    sans: sans.map(({ type, value }) => ({ type: type === "ip" || type === "username" ? "other" : type, value })),
    ...(issuer !== undefined && { issuer }),
    serial,
    notBefore: encodeTime(notBefore),
    notAfter: encodeTime(notAfter),
    extensions,
  };
}

function encodeStatement({ predicateType, subjects }: StatementFacts) {
  return {
    ...(predicateType !== undefined && { predicateType }),
    subjects: subjects.map(({ name, digests }) => ({ ...(name !== undefined && { name }), digests })),
  };
}
