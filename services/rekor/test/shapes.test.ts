import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { Fault } from "@chancery/fault";
import { ENTRY_KIND_NAMES } from "../src/domain/entries/entry-kind-names.ts";
import { bodyOf, parseEntry } from "../src/domain/entries/entry-kinds.ts";
import { dsse, everyKind, hashedrekord, type Proposal } from "./proposals.ts";

/** Faults that mean 4xx at every edge. */
const CLIENT_FAULTS = ["malformed", "unverified", "insecure-key", "unsupported", "too-large"];
/** Members a proposal may do without. */
const OPTIONAL = /\.(keyid|payloadHash)$/;

async function refusal(proposal: Proposal): Promise<Fault> {
  try {
    await parseEntry(proposal);
  } catch (error) {
    expect(error).toBeInstanceOf(Fault);
    expect(CLIENT_FAULTS).toContain((error as Fault).code);
    return error as Fault;
  }
  throw new Error(`taken: ${JSON.stringify(proposal)}`);
}

type Path = readonly (string | number)[];

/** Every place inside a value: members, elements, and what is in them. */
function places(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, inner]) => places(inner, [...path, name]))];
}

const MISSING = Symbol("missing");

function bend(proposal: Proposal, path: Path, value: unknown): Proposal {
  const spec = structuredClone(proposal.spec);
  const parent = path.slice(0, -1).reduce((object, name) => object[name], spec);
  const last = path.at(-1)!;
  if (value === MISSING) delete parent[last];
  else parent[last] = value;
  return { ...proposal, spec };
}

function bendIn(proposal: Proposal, path: Path, value: unknown): Proposal {
  return path.length === 0 ? { ...proposal, spec: value } : bend(proposal, path, value);
}

const ELSEWHERE = "http://169.254.169.254/";
const FETCHES_NOTHING = "the log fetches nothing, send the content itself";

/** One of each file of real tools' proposals, whose specs are texts to their leaves: TUF's could be written out. */
async function samplesOfKinds(): Promise<Proposal[]> {
  const folder = join(import.meta.dirname, "kinds");
  const files = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  return texts.flatMap((text) =>
    (JSON.parse(text) as { proposed: Proposal }[])
      .map(({ proposed }) => proposed)
      .filter(({ kind, spec }) => kind !== "tuf" || typeof spec.root.content === "string")
      .slice(0, 1),
  );
}

let kinds: Proposal[] = [];
beforeAll(async () => {
  kinds = await everyKind();
});

/** All members of all kinds, but the elements of arrays, whose absence is another array. */
function members(): { proposal: Proposal; path: Path; name: string }[] {
  return kinds.flatMap((proposal) =>
    places(proposal.spec)
      .filter((path) => path.length > 0)
      .map((path) => ({ proposal, path, name: `spec.${path.join(".")}` })),
  );
}

describe("every member of every kind", () => {
  test("is missed by name when it is absent, null or empty", async () => {
    for (const { proposal, path, name } of members()) {
      if (OPTIONAL.test(name) || /\d$/.test(name)) continue;
      for (const value of [MISSING, null]) {
        expect((await refusal(bend(proposal, path, value))).message, name).toBe(`${name}: is required`);
      }
      expect((await refusal(bend(proposal, path, ""))).message, name).toContain(name);
    }
  });

  test("is refused by name in every other JSON type", async () => {
    const wrong = [7, -1.5, true, false, [], [1], [null], {}, { a: 1 }, [{}], [[]]];
    for (const { proposal, path, name } of members()) {
      for (const value of wrong) {
        expect((await refusal(bend(proposal, path, value))).message, `${name} = ${JSON.stringify(value)}`).toContain(
          name,
        );
      }
    }
  });

  test("is refused when it holds a text that is none of its own", async () => {
    const texts = ["x", "not base64!", "AAAA", "\u0000", "é", "=".repeat(100), "0".repeat(64), "é".repeat(64)];
    for (const { proposal, path, name } of members()) {
      if (OPTIONAL.test(name) || name === "spec.content.hash.value") continue;
      for (const text of texts)
        expect((await refusal(bend(proposal, path, text))).message.length, name).toBeLessThan(512);
    }
  });

  test("has no neighbour that the log does not know", async () => {
    for (const { proposal, path } of members()) {
      const inside = path.reduce((object, name) => object[name], proposal.spec);
      if (typeof inside !== "object" || Array.isArray(inside)) continue;
      const name = `spec.${[...path, "surprise"].join(".")}`;
      expect((await refusal(bend(proposal, [...path, "surprise"], "x"))).message).toContain(name);
      const url = (await refusal(bend(proposal, [...path, "url"], "http://169.254.169.254/"))).message;
      expect(url).toContain(`${[...path, "url"].join(".")}: the log fetches nothing`);
    }
  });

  test("is nowhere a url that the log would fetch, beside what it is sent or in its place", async () => {
    const names = new Set<string>();
    const alone = new Set<string>();
    for (const proposal of [...kinds, ...(await samplesOfKinds())]) {
      names.add(proposal.kind);
      for (const path of [[], ...places(proposal.spec)]) {
        const inside = path.reduce((object, name) => object[name], proposal.spec);
        if (typeof inside !== "object" || Array.isArray(inside)) continue;
        const at = ["spec", ...path].join(".");
        const refused = await refusal(bendIn(proposal, path, { ...inside, url: ELSEWHERE }));
        expect(refused.message, `${proposal.kind} ${at}`).toBe(`${at}.url: ${FETCHES_NOTHING}`);
        if (typeof inside.content !== "string") continue;
        alone.add(`${proposal.kind} ${at}`);
        for (const none of [{}, { content: null }, { content: "" }]) {
          const instead = await refusal(bendIn(proposal, path, { url: ELSEWHERE, ...none }));
          expect(instead.message, `${proposal.kind} ${at} alone`).toBe(`${at}.url: ${FETCHES_NOTHING}`);
        }
      }
    }
    expect([...names].toSorted()).toEqual([...ENTRY_KIND_NAMES].toSorted());
    expect([...alone].toSorted()).toEqual(
      [
        "alpine spec.package",
        "alpine spec.publicKey",
        "hashedrekord spec.signature",
        "hashedrekord spec.signature.publicKey",
        "helm spec.chart.provenance",
        "helm spec.publicKey",
        "jar spec.archive",
        "rekord spec.signature",
        "rekord spec.signature.publicKey",
        "rekord spec.data",
        "rfc3161 spec.tsr",
        "rpm spec.package",
        "rpm spec.publicKey",
        "tuf spec.metadata",
        "tuf spec.root",
      ].toSorted(),
    );
    const data = { data: { url: ELSEWHERE } };
    const digest = kinds.find(({ kind }) => kind === "hashedrekord")!;
    expect((await refusal({ ...digest, spec: { ...digest.spec, ...data } })).message).toBe(
      `spec.data.url: ${FETCHES_NOTHING}`,
    );
  });

  test("can be any JSON at all without an error that is nobody's", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.jsonValue({ maxDepth: 4 }), fc.boolean(), async (place, value, look) => {
        const all = members();
        const { proposal, path } = all[place % all.length]!;
        const bent = JSON.parse(JSON.stringify(bend(proposal, path, value)));
        try {
          if (look) await bodyOf(bent);
          else await parseEntry(bent);
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
          expect(CLIENT_FAULTS).toContain((error as Fault).code);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("the envelope inside a dsse entry", () => {
  test("is refused by name when it is no envelope", async () => {
    const proposal = await dsse();
    const good = JSON.parse(proposal.spec.proposedContent.envelope);
    const bad = [
      "",
      "x",
      "7",
      "null",
      "[]",
      "{}",
      '{"payload":"","payload":""}',
      "[".repeat(1_000),
      JSON.stringify({ ...good, signatures: [] }),
      JSON.stringify({ ...good, signatures: [null] }),
      JSON.stringify({ ...good, signatures: [{}] }),
      JSON.stringify({ ...good, signatures: [{ sig: "" }] }),
      JSON.stringify({ ...good, signatures: [{ sig: 7 }] }),
      JSON.stringify({ ...good, payload: "!" }),
      JSON.stringify({ ...good, payload: {} }),
      JSON.stringify({ ...good, payloadType: "" }),
    ];
    for (const envelope of bad) {
      const spec = { proposedContent: { ...proposal.spec.proposedContent, envelope } };
      expect((await refusal({ ...proposal, spec })).message, envelope.slice(0, 50)).toContain(
        "spec.proposedContent.envelope",
      );
    }
  });
});

describe("kinds and versions", () => {
  test("that are not here are refused", async () => {
    const proposal = await hashedrekord();
    expect((await refusal({ ...proposal, kind: "tsr" })).message).toBe(
      "kind: entry kind 'tsr' is not enabled on this server",
    );
    expect((await refusal({ ...proposal, apiVersion: "9.9.9" })).message).toContain("version '9.9.9' not found");
  });
});
