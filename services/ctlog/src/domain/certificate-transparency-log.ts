import { type Signer, sha256, spkiHash } from "@chancery/crypto";
import { countedEntries, equalBytes } from "@chancery/encoding";
import { Malformed, NotFound, RefusedToSign } from "@chancery/fault";
import { type LoggedEntry, type NewEntry, SearchKeys, tileResource, type TransparencyLog } from "@chancery/log";
import { type InclusionProof, parseCheckpoint, parseNote, type SignedTreeHead, verifyTreeHead } from "@chancery/tlog";
import {
  type Certificate,
  type CertificateEntry,
  encodeDigitallySigned,
  isPrecertificate,
  removePoison,
  type SignedCertificateTimestamp,
} from "@chancery/x509";
import {
  encodeCertificateChain,
  encodePrecertificateChain,
  merkleTreeLeaf,
  NO_EXTENSIONS,
} from "./merkle-tree-leaf.ts";
import { checkCtKey } from "./tree-head-signer.ts";
import { TrustedRoots } from "./trusted-roots.ts";

export interface CertificateTransparencyLogOptions {
  /** What submissions must lead to. */
  readonly roots: readonly Certificate[];
  /** Opened with `ctTreeHeadSigner` over the same key. */
  readonly log: TransparencyLog;
  readonly signer: Signer;
}

/** An SCT, and where the log keeps what it is for. */
export interface LoggedTimestamp extends SignedCertificateTimestamp {
  readonly index: bigint;
}

/** An authority whose certificates are taken as issued. */
export interface OwnIssuer {
  /** `tbs` is the precertificate's without its poison; both MUST have been signed by the authority. */
  addIssued(precertificate: { readonly der: Uint8Array; readonly tbs: Uint8Array }): Promise<LoggedTimestamp>;
}

export interface ProvenLogEntry {
  readonly entry: LoggedEntry;
  readonly proof: InclusionProof;
}

/** Entries of one answer; more are a second question. */
export const MAX_ENTRIES = 1000;

/**
 * The certificate transparency log that the CA submits to. RFC 6962.
 *
 * Stronger than the RFC asks: an SCT is not a promise to include an entry within a merge delay, it is
 * signed only after the entry is in a published tree head. So no crash can break a promise.
 */
export class CertificateTransparencyLog {
  readonly #roots: TrustedRoots;
  readonly #log: TransparencyLog;
  readonly #signer: Signer;
  readonly #logId: Uint8Array;
  #verified: { readonly note: Uint8Array; readonly head: SignedTreeHead } | undefined;

  constructor({ roots, log, signer }: CertificateTransparencyLogOptions) {
    checkCtKey(signer);
    this.#roots = new TrustedRoots(roots);
    this.#log = log;
    this.#signer = signer;
    this.#logId = spkiHash(signer.publicKey);
  }

  /** RFC 6962, Section 4.7. */
  get roots(): readonly Certificate[] {
    return this.#roots.certificates;
  }

  /** RFC 6962, Section 4.2. Leaf first; the root may be left out. */
  async addPreChain(submitted: readonly Uint8Array[]): Promise<LoggedTimestamp> {
    const chain = await this.#roots.accept(submitted);
    if (!isPrecertificate(chain.leaf)) throw new Malformed("chain: certificate 0 is not a precertificate");
    const tbs = removePoison(chain.leaf);
    const issuerKeyHash = sha256(chain.authorities[0].spki);
    const extra = encodePrecertificateChain(chain.leaf.der, encodeCertificateChain(chain.authorities));
    return this.#add(chain.leaf.der, { type: "precertificate", issuerKeyHash, tbs }, extra);
  }

  /**
   * For the authority in our own process: its chain is verified here, once, and what it has just signed is not
   * verified again. Whoever could put something in between could as well use either key.
   */
  ofIssuer(chain: readonly Certificate[]): OwnIssuer {
    const authorities = this.#roots.authorities(chain);
    const issuerKeyHash = sha256(authorities[0].spki);
    const certificateChain = encodeCertificateChain(authorities);
    return {
      addIssued: ({ der, tbs }) =>
        this.#add(
          der,
          { type: "precertificate", issuerKeyHash, tbs },
          encodePrecertificateChain(der, certificateChain),
        ),
    };
  }

  /** RFC 6962, Section 4.1. */
  async addChain(submitted: readonly Uint8Array[]): Promise<LoggedTimestamp> {
    const chain = await this.#roots.accept(submitted);
    if (isPrecertificate(chain.leaf)) throw new Malformed("chain: certificate 0 is a precertificate");
    const { der } = chain.leaf;
    return this.#add(der, { type: "certificate", der }, encodeCertificateChain(chain.authorities));
  }

  /** RFC 6962, Section 4.3. */
  async sth(): Promise<SignedTreeHead> {
    const { note } = await this.#log.published();
    if (this.#verified === undefined || !equalBytes(this.#verified.note, note)) {
      const { origin } = parseCheckpoint(parseNote(note).text);
      this.#verified = { note, head: verifyTreeHead(note, origin, this.#signer.publicKey) };
    }
    return this.#verified.head;
  }

  /** The same as a signed note. c2sp.org/static-ct-api. */
  async checkpoint(): Promise<Uint8Array> {
    return (await this.#log.published()).note;
  }

  /** RFC 6962, Section 4.4. */
  async consistencyPath(first: bigint, second: bigint): Promise<readonly Uint8Array[]> {
    if (first > second) throw new Malformed("first: is larger than second");
    await this.#checkSize("second", second);
    return (await this.#log.consistencyProof(first, second)).path;
  }

  /** RFC 6962, Section 4.5. As upstream, a tree that there is not yet is not found, rather than malformed. */
  async inclusionByHash(hash: Uint8Array, size: bigint): Promise<InclusionProof> {
    const published = await this.#size();
    if (size > published) throw new NotFound(`tree_size: the log has ${countedEntries(published)}`);
    const entry = await this.#log.findLeafHash(hash);
    if (entry === undefined || entry.index >= size) throw new NotFound("hash: no such leaf in a tree of this size");
    return this.#log.inclusionProof(entry.index, size);
  }

  /**
   * RFC 6962, Section 4.6; `end` is inclusive. Fewer than asked for where the log ends, and where a full answer would:
   * that ends at a multiple of its size, so that those who read the whole log ask for the same, cacheable, pages. Fewer
   * also where chains are so long that what the log reads at a time ends before.
   */
  async entries(start: bigint, end: bigint): Promise<readonly LoggedEntry[]> {
    if (start > end) throw new Malformed("start: is larger than end");
    const size = await this.#size();
    if (start >= size) throw new Malformed(`start: the log has ${countedEntries(size)}`);
    const page = BigInt(MAX_ENTRIES);
    const pageEnd = start + page - (start % page);
    const wanted = end - start + 1n >= page ? pageEnd : end + 1n;
    const stop = wanted < size ? wanted : size;
    return this.#log.entries(start, Number(stop - start));
  }

  /** RFC 6962, Section 4.8. */
  async entryAndProof(index: bigint, size: bigint): Promise<ProvenLogEntry> {
    if (index >= size) throw new Malformed("leaf_index: is not below tree_size");
    await this.#checkSize("tree_size", size);
    const [entry, proof] = await Promise.all([this.#log.entry(index), this.#log.inclusionProof(index, size)]);
    if (entry === undefined) throw new NotFound("leaf_index: no such entry");
    return { entry, proof };
  }

  /** Of c2sp.org/tlog-tiles; `path` begins with `tile/`. */
  tileResource(path: string): Promise<Uint8Array> {
    return tileResource(this.#log, path);
  }

  readiness(): Promise<string | undefined> {
    return this.#log.readiness();
  }

  warning(): string | undefined {
    return this.#log.warning();
  }

  /**
   * Logs the entry, or finds it logged: two submissions of one certificate are one leaf, with one timestamp.
   *
   * What is signed are the bytes that the log answered with, proven to be in the published tree, and not those that
   * were submitted: an SCT for something else than the log holds would be the one lie that ends a log.
   */
  async #add(submitted: Uint8Array, entry: CertificateEntry, extra: Uint8Array): Promise<LoggedTimestamp> {
    const submission: NewEntry = {
      identity: sha256(submitted),
      leaf: ({ time }) => merkleTreeLeaf(time, entry).finish(),
      leafLength: merkleTreeLeaf(0, entry).length,
      extra,
      searchKeys: SearchKeys.NONE,
    };
    const { entry: logged } = await this.#log.append(submission);
    const { index, time } = logged;
    if (!merkleTreeLeaf(time, entry).matches(logged.leaf)) {
      throw new RefusedToSign(`entry ${index} is not the certificate that was submitted`);
    }
    return {
      index,
      logId: this.#logId,
      timestamp: time,
      extensions: NO_EXTENSIONS,
      signature: encodeDigitallySigned(this.#signer.publicKey, await this.#signer.sign(logged.leaf)),
    };
  }

  async #checkSize(field: string, size: bigint): Promise<void> {
    const published = await this.#size();
    if (size > published) throw new Malformed(`${field}: the log has ${countedEntries(published)}`);
  }

  async #size(): Promise<bigint> {
    return (await this.#log.published()).head.size;
  }
}
