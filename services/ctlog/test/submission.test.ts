import { ephemeralSigner, sha256 } from "@chancery/crypto";
import { Unverified } from "@chancery/fault";
import { MemoryAnchor, MemoryLogStore } from "@chancery/log";
import { encodeExtension, findExtension, OID, parseCertificate, verifySct } from "@chancery/x509";
import { der } from "@chancery/encoding";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  certificateChain,
  CODE_SIGNING,
  createAuthority,
  leafRequest,
  oddLeaf,
  POISON,
  precertificateChain,
} from "./authority.ts";
import { CtWorld } from "./ct-world.ts";

let world: CtWorld;
beforeAll(async () => void (world = await CtWorld.start()));
afterAll(() => world[Symbol.asyncDispose]());

const base64 = (octets: Uint8Array) => Buffer.from(octets).toString("base64");
const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  world.fetch("ct/v1/add-pre-chain", { method: "POST", body, headers });

describe("a promise", () => {
  test("is kept before it is given, for precertificates and certificates", async () => {
    await using own = await CtWorld.start();
    await own.check(0);
    await own.submitPrecertificate();
    await own.check(1);
    await own.submitCertificate();
    await own.submitPrecertificate();
    await own.check(3);
  });

  test("is an object of five members, as RFC 6962 and Fulcio's client have it", async () => {
    const answer = await world.add("add-pre-chain", await precertificateChain(world.authority));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
    const sct = (await answer.json()) as Record<string, unknown>;
    expect(sct).toEqual({
      sct_version: 0,
      id: expect.any(String),
      timestamp: expect.any(Number),
      extensions: "",
      signature: expect.any(String),
    });
  });

  test("that was given for a precertificate fits the final certificate's embedded list", async () => {
    const request = leafRequest();
    const { sct, signedEntry } = await world.submitPrecertificate(request);
    const final = parseCertificate(await world.authority.issuer.certificate(request, [sct]), "final");
    expect(findExtension(final, OID.sctList)).toBeDefined();
    const withoutList = await world.authority.issuer.precertificate(request);
    expect(withoutList.tbs).toEqual(signedEntry);
  });

  test("of a final certificate with its SCTs inside is taken too", async () => {
    const request = leafRequest();
    const { sct } = await world.submitPrecertificate(request);
    const final = await world.authority.issuer.certificate(request, [sct]);
    const answer = await world.add("add-chain", [final, world.authority.intermediate.der]);
    expect(answer.status, await answer.text()).toBe(200);
  });
});

describe("an authority in the same process", () => {
  test("gets promises that verify, and one leaf for what others submit too", async () => {
    await using own = await CtWorld.start();
    const { intermediate, root, issuer } = own.authority;
    const precertificate = await issuer.precertificate(leafRequest());
    const { index, ...sct } = await own.ct.ofIssuer([intermediate, root]).addIssued(precertificate);
    expect(index).toBe(0n);
    const issuerKeyHash = sha256(intermediate.spki);
    await verifySct(sct, own.key, { type: "precertificate", issuerKeyHash, tbs: precertificate.tbs });
    const again = await own.add("add-pre-chain", [precertificate.der, intermediate.der, root.der]);
    expect(((await again.json()) as { timestamp: number }).timestamp).toBe(sct.timestamp);
    expect((await own.log.published()).head.size).toBe(1n);
  });

  test("must lead to a root of the log itself", async () => {
    const { intermediate, root } = await createAuthority();
    expect(() => world.ct.ofIssuer([intermediate, root])).toThrow(Unverified);
    expect(() => world.ct.ofIssuer([world.authority.intermediate, root])).toThrow(Unverified);
    expect(() => world.ct.ofIssuer([])).toThrow(/is empty/);
  });
});

describe("a submission that comes again", () => {
  test("gets the same time and no second leaf, in whatever form its chain comes", async () => {
    await using own = await CtWorld.start();
    const chain = await precertificateChain(own.authority);
    const times = new Set<number>();
    for (const form of [chain, chain, chain.slice(0, -1)]) {
      const answer = await own.add("add-pre-chain", form);
      times.add(((await answer.json()) as { timestamp: number }).timestamp);
    }
    expect(times.size).toBe(1);
    await own.check(1);
  });

  test("after a restart is still the same", async () => {
    const authority = await createAuthority();
    const parts = {
      authority,
      signer: ephemeralSigner("ecdsa-p256"),
      store: new MemoryLogStore(),
      anchor: new MemoryAnchor(),
    };
    const chain = await precertificateChain(authority);
    const times = new Set<number>();
    for (let start = 0; start < 2; start++) {
      await using own = await CtWorld.start(parts);
      const answer = await own.add("add-pre-chain", chain);
      times.add(((await answer.json()) as { timestamp: number }).timestamp);
      await own.check(1);
    }
    expect(times.size).toBe(1);
  });

  test("while the first is still under way joins it", async () => {
    await using own = await CtWorld.start();
    const chain = await precertificateChain(own.authority);
    const answers = await Promise.all(Array.from({ length: 20 }, () => own.add("add-pre-chain", chain)));
    const scts = (await Promise.all(answers.map((answer) => answer.json()))) as { timestamp: number }[];
    expect(new Set(scts.map(({ timestamp }) => timestamp)).size).toBe(1);
    await own.check(1);
  });

  test("many at once are all in the log, each with a promise of its own", async () => {
    await using own = await CtWorld.start();
    await Promise.all(
      Array.from({ length: 60 }, (_, at) => (at % 3 === 0 ? own.submitCertificate() : own.submitPrecertificate())),
    );
    await own.check(60);
  });

  test("after the clock ran back is still in order", async () => {
    let now = 1_800_000_000_000;
    await using own = await CtWorld.start({ clock: () => now });
    await own.submitPrecertificate();
    now -= 1_500;
    const later = await own.submitPrecertificate().then(
      () => 2,
      () => 1,
    );
    await own.check(later);
  });
});

const refused = async (answer: Response, status: number, reason: string) => {
  const text = await answer.text();
  expect({ status: answer.status, text }).toEqual({ status, text: expect.stringContaining(reason) });
  expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
};

describe("a submission is refused, with a word of why, when it", () => {
  test.for([
    ["is no JSON", "{", "body"],
    ["is empty", "", "body"],
    ["is no object", "[]", "chain is not an array"],
    ["has no chain", "{}", "chain is not an array"],
    ["has a chain that is no list", '{"chain":"MAo="}', "chain is not an array"],
    ["has an empty chain", '{"chain":[]}', "chain: is empty"],
    ["has a number for a certificate", '{"chain":[1]}', "certificate 0 is not a string"],
    ["has base64 of the URL alphabet", '{"chain":["MA__"]}', "chain: certificate 0"],
    ["has base64 without padding", '{"chain":["MAo"]}', "chain: certificate 0"],
    ["has two chains", '{"chain":[],"chain":[]}', "body"],
    ["is not UTF-8", Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), "body"],
    ["goes on after its end", '{"chain":[]}{}', "body"],
  ] as const)("%s", async ([, body, reason]) => {
    await refused(await post(body), 400, reason);
  });

  test("has no issuer of ours", async () => {
    const stranger = await createAuthority("stranger");
    await refused(
      await world.add("add-pre-chain", await precertificateChain(stranger)),
      400,
      "does not lead to a root",
    );
  });

  test("is longer than 128 KiB", async () => {
    await refused(await post(" ".repeat(128 * 1024 + 1)), 413, "Request Entity Too Large\n");
  });

  test("is longer than 128 KiB and does not say so", async () => {
    const chunks = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(64 * 1024).fill(0x20));
      },
    });
    const init = { method: "POST", body: chunks, duplex: "half" } as RequestInit;
    await refused(await world.fetch("ct/v1/add-pre-chain", init), 413, "Request Entity Too Large\n");
  });

  test("is compressed", async () => {
    await refused(await post(new Uint8Array(10), { "Content-Encoding": "gzip" }), 415, "Unsupported Media Type\n");
  });

  test("has ten certificates more than one", async () => {
    const chain = await certificateChain(world.authority);
    const long = [...chain, ...Array.from({ length: 8 }, () => chain[2]!)];
    await refused(await world.add("add-chain", long), 400, "more than 10");
  });

  test("is a precertificate where a certificate belongs, or the other way round", async () => {
    const [precertificate, certificate] = await Promise.all([
      precertificateChain(world.authority),
      certificateChain(world.authority),
    ]);
    await refused(await world.add("add-chain", precertificate), 400, "is a precertificate");
    await refused(await world.add("add-pre-chain", certificate), 400, "is not a precertificate");
  });

  test.for([
    ["is not critical", { ...POISON, critical: false }],
    ["is not NULL", { ...POISON, value: Uint8Array.of(0x04, 0x00) }],
    ["is empty", { ...POISON, value: new Uint8Array() }],
    ["goes on after NULL", { ...POISON, value: Uint8Array.of(0x05, 0x00, 0x00) }],
  ] as const)("has a poison that %s", async ([, poison]) => {
    const { authority } = world;
    const leaf = await oddLeaf(authority, { extensions: [CODE_SIGNING, poison] });
    for (const api of ["add-chain", "add-pre-chain"] as const) {
      expect((await world.add(api, [leaf, authority.intermediate.der])).status).toBe(400);
    }
  });

  test("has the poison twice", async () => {
    const { authority } = world;
    const extensions = [CODE_SIGNING, POISON];
    const leaf = await oddLeaf(authority, { extensions, rawExtensions: [encodeExtension(POISON)] });
    await refused(await world.add("add-pre-chain", [leaf, authority.intermediate.der]), 400, "twice");
  });

  test("has both poison and SCTs", async () => {
    const { authority } = world;
    const list = { oid: OID.sctList, critical: false, value: der.octetString(new Uint8Array(2)) };
    const leaf = await oddLeaf(authority, { extensions: [CODE_SIGNING, POISON, list] });
    await refused(await world.add("add-pre-chain", [leaf, authority.intermediate.der]), 400, "SCT list");
  });

  test("and nothing of it is in the log", async () => {
    await using own = await CtWorld.start();
    const stranger = await createAuthority("stranger");
    await own.add("add-pre-chain", await precertificateChain(stranger));
    await own.add("add-pre-chain", await certificateChain(own.authority));
    await own.check(0);
  });
});

describe("a log that cannot take it now", () => {
  test("with too much under way says 429, and when to come again", async () => {
    await using own = await CtWorld.start({ limits: { entries: 1 } });
    const chains = await Promise.all(Array.from({ length: 12 }, () => precertificateChain(own.authority)));
    const answers = await Promise.all(chains.map((chain) => own.add("add-pre-chain", chain)));
    const late = answers.find(({ status }) => status !== 200);
    await refused(late!, 429, "Too Many Requests\n");
    expect(Number(late!.headers.get("retry-after"))).toBeGreaterThan(0);
    await own.check(answers.filter(({ status }) => status === 200).length);
  });

  test("for ever, because it is frozen, says 405 and stays readable", async () => {
    await using own = await CtWorld.start();
    await own.submitPrecertificate();
    await own.log.freeze();
    await refused(await own.add("add-pre-chain", await precertificateChain(own.authority)), 405, "frozen");
    const ready = await fetch(`${own.service.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ warnings: [{ service: "ctlog" }] });
    await own.check(1);
  });
});

test("unknown members of a submission are left alone", async () => {
  const chain = (await precertificateChain(world.authority)).map(base64);
  expect((await post(JSON.stringify({ chain, type: 1 }))).status).toBe(200);
});
