import { randomBytes } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import type {
  IssuanceLedger,
  IssuedEntry,
  IssuedQuery,
  PlacedRefusal,
  RefusedEntry,
  RefusedQuery,
} from "../src/index.ts";

const bytes = (length: number) => new Uint8Array(randomBytes(length));

export function issuedEntry(parts: Partial<IssuedEntry> = {}): IssuedEntry {
  return {
    time: 1000,
    issuer: "https://issuer.example",
    subject: "someone",
    san: { type: "email", value: "dev@example.com" },
    serial: bytes(20),
    certificate: bytes(700),
    certificateHash: bytes(32),
    keyHash: bytes(32),
    claimsHash: bytes(32),
    ctIndex: 7n,
    wouldRefuse: undefined,
    ...parts,
  };
}

export function refusedEntry(parts: Partial<RefusedEntry> = {}): RefusedEntry {
  return {
    time: 1000,
    count: 1,
    code: "audience",
    reason: "the token is for another audience",
    issuer: "https://issuer.example",
    subject: undefined,
    rule: undefined,
    ...parts,
  };
}

const withoutPlace = ({ place: _place, ...entry }: PlacedRefusal): RefusedEntry => entry;

/** An entry's time is its name here. */
function timesFound<Query>(ask: (query: Query & { limit: number }) => Promise<readonly { readonly time: number }[]>) {
  return async (query: Omit<Query, "limit">) =>
    (await ask({ limit: 10, ...query } as Query & { limit: number })).map(({ time }) => time);
}

/** The contract of IssuanceLedger, against any implementation. `open` gives an empty one. */
export function ledgerContract(kind: string, open: () => Promise<IssuanceLedger>): void {
  describe(`a ${kind} issuance ledger`, () => {
    let ledger: IssuanceLedger;

    beforeEach(async () => {
      ledger = await open();
    });

    test("gives back every field of a certificate as it was written", async () => {
      const entries = [
        issuedEntry({ time: 3, ctIndex: undefined, wouldRefuse: "main-only" }),
        issuedEntry({ time: 2, ctIndex: 2n ** 40n, san: { type: "username", value: "jürgen!例え.example" } }),
        issuedEntry({ time: 1, ctIndex: 0n, subject: `x"'{},\\N ${"😀".repeat(500)}` }),
      ];
      await Promise.all(entries.map((entry) => ledger.recordIssued(entry)));
      expect(await ledger.issued({ limit: 10 })).toEqual(entries);
    });

    test("gives back every field of a refusal as it was written", async () => {
      const entries = [
        refusedEntry({ time: 3, count: 41, reason: "more of the same", issuer: undefined }),
        refusedEntry({ time: 2, code: "policy", subject: "someone", rule: "main-only" }),
        refusedEntry({ time: 1 }),
      ];
      for (const entry of entries) await ledger.recordRefused(entry);
      expect((await ledger.refused({ limit: 10 })).map(withoutPlace)).toEqual(entries);
    });

    test("finds certificates by issuer, name, beginning of a name, serial, time and dry run, newest first", async () => {
      const long = `https://ci.example/${"x".repeat(3000)}`;
      const all = [
        issuedEntry({ time: 50, issuer: "https://other.example" }),
        issuedEntry({ time: 40, san: { type: "uri", value: `${long}a` } }),
        issuedEntry({ time: 30, san: { type: "uri", value: `${long}b` }, wouldRefuse: "(default)" }),
        issuedEntry({ time: 20, san: { type: "email", value: "%@example.com" } }),
        issuedEntry({ time: 10 }),
      ];
      for (const entry of all.toReversed()) await ledger.recordIssued(entry);
      const found = timesFound((query: IssuedQuery) => ledger.issued(query));
      expect(await found({})).toEqual([50, 40, 30, 20, 10]);
      expect(await found({ issuer: "https://issuer.example" })).toEqual([40, 30, 20, 10]);
      expect(await found({ san: `${long}a` })).toEqual([40]);
      expect(await found({ sanPrefix: long })).toEqual([40, 30]);
      expect(await found({ sanPrefix: "https://ci." })).toEqual([40, 30]);
      expect(await found({ sanPrefix: "%" })).toEqual([20]);
      expect(await found({ serial: all[4]!.serial })).toEqual([10]);
      expect(await found({ since: 20, until: 40 })).toEqual([30, 20]);
      expect(await found({ wouldRefuse: true })).toEqual([30]);
      expect(await found({ san: "dev@example.com", issuer: "https://other.example" })).toEqual([50]);
      expect(await found({ san: "' OR true --" })).toEqual([]);
    });

    test("finds refusals by issuer, code and time", async () => {
      const entries = [
        refusedEntry({ time: 3, code: "policy" }),
        refusedEntry({ time: 2, issuer: "https://other.example" }),
        refusedEntry({ time: 1 }),
      ];
      for (const entry of entries) await ledger.recordRefused(entry);
      const found = timesFound((query: RefusedQuery) => ledger.refused(query));
      expect(await found({})).toEqual([3, 2, 1]);
      expect(await found({ code: "policy" })).toEqual([3]);
      expect(await found({ issuer: "https://other.example" })).toEqual([2]);
      expect(await found({ since: 2, until: 3 })).toEqual([2]);
    });

    test("is read page by page without a gap or a repetition, also within one millisecond", async () => {
      const issued = Array.from({ length: 23 }, (_, at) => issuedEntry({ time: Math.floor(at / 10) }));
      await Promise.all(issued.map((entry) => ledger.recordIssued(entry)));
      const serials: string[] = [];
      for (let page = await ledger.issued({ limit: 5 }); page.length > 0;) {
        serials.push(...page.map(({ serial }) => Buffer.from(serial).toString("hex")));
        page = await ledger.issued({ limit: 5, after: page.at(-1) });
      }
      expect(serials.toSorted()).toEqual(issued.map(({ serial }) => Buffer.from(serial).toString("hex")).toSorted());

      for (let at = 0; at < 11; at++) await ledger.recordRefused(refusedEntry({ reason: `${at}` }));
      const reasons: string[] = [];
      for (let page = await ledger.refused({ limit: 4 }); page.length > 0;) {
        reasons.push(...page.map(({ reason }) => reason));
        page = await ledger.refused({ limit: 4, after: page.at(-1) });
      }
      expect(reasons).toEqual(Array.from({ length: 11 }, (_, at) => `${10 - at}`));
    });
  });
}
