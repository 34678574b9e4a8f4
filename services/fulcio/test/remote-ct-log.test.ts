import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parseCertificate, sctToJson } from "@chancery/x509";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RemoteCtLog } from "../src/index.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { type FulcioUnderTest, leafOf, MemoryCtLog, startFulcio } from "./fulcio-under-test.ts";

const email = "dev@example.com";

/** A log as other programs serve it: RFC 6962 over HTTP, in front of real SCTs. */
class HttpCtLog {
  readonly log = new MemoryCtLog();
  readonly asked: string[] = [];
  readonly hosts: (string | undefined)[] = [];
  answer: (request: IncomingMessage, response: ServerResponse, chain: Uint8Array[]) => void = (...call) =>
    this.right(...call);
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      this.asked.push(`${request.method} ${request.url}`);
      this.hosts.push(request.headers.host);
      const { chain } = JSON.parse(Buffer.concat(chunks).toString()) as { chain: string[] };
      this.answer(
        request,
        response,
        chain.map((text) => new Uint8Array(Buffer.from(text, "base64"))),
      );
    });
  });
  url = "";

  right(_request: IncomingMessage, response: ServerResponse, chain: Uint8Array[]): void {
    void this.log.addPreChain(chain).then((sct) => response.end(JSON.stringify(sctToJson(sct))));
  }

  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/2026`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let issuer: FakeIssuer;
let ctLog: HttpCtLog;
let fulcio: FulcioUnderTest;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  ctLog = new HttpCtLog();
  await ctLog.listen();
  fulcio = await startFulcio({
    config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`,
    ctLog: { link: new RemoteCtLog({ url: `${ctLog.url}/`, origin: "log.example.com" }), key: ctLog.log.publicKey },
  });
});
afterAll(async () => {
  await Promise.all([fulcio, issuer].map((part) => part?.[Symbol.asyncDispose]()));
  await ctLog.close();
});
beforeEach(() => {
  ctLog.answer = (...call) => ctLog.right(...call);
  ctLog.asked.length = 0;
});

const enrol = () => fulcio.enrol(issuer.token(), email);

async function readiness() {
  const answer = await fulcio.request("/readyz");
  return [answer.status, (answer.json() as { warnings?: unknown }).warnings];
}

/** In upstream's words, with no certificate in it; and how long that took, in milliseconds. */
async function refusedBy() {
  const started = performance.now();
  const refused = await enrol();
  const took = performance.now() - started;
  expect([refused.status, refused.json().code]).toEqual([500, 13]);
  expect(refused.json().message).toBe("Error entering certificate in CTL");
  expect(refused.body).not.toContain("CERTIFICATE");
  return { refused, took };
}

describe("a CT log behind a URL", () => {
  test("is shown the precertificate and its chain, by the name it goes by, and its SCT is embedded", async () => {
    const answer = await enrol();
    expect(answer.status).toBe(200);
    expect(ctLog.asked).toEqual(["POST /2026/ct/v1/add-pre-chain"]);
    expect(ctLog.hosts.at(-1)).toBe("log.example.com");
    const submitted = ctLog.log.submitted.at(-1)!.map((der) => parseCertificate(der, "submitted"));
    expect(submitted).toHaveLength(3);
    const leaf = parseCertificate(leafOf(answer), "leaf");
    expect(leaf.serial).toEqual(submitted[0]!.serial);
    expect(leaf.extensions.at(-1)!.oid).toBe("1.3.6.1.4.1.11129.2.4.2");
  });

  test("that is busy is asked again", async () => {
    let asked = 0;
    ctLog.answer = (...call) => {
      if (++asked > 2) ctLog.right(...call);
      else if (asked === 1) call[1].writeHead(503, { "Retry-After": "1" }).end();
      else call[1].destroy();
    };
    expect((await enrol()).status).toBe(200);
    expect(ctLog.asked).toHaveLength(3);
  });

  test("that fails is a warning of the readiness until it takes a certificate again", async () => {
    expect((await enrol()).status).toBe(200);
    expect(await readiness()).toEqual([200, undefined]);
    ctLog.answer = (_request, response) => response.writeHead(500).end();
    await refusedBy();
    const warning = expect.stringMatching(/^since 2.*Z no certificate could be entered .*answers with status 500$/);
    expect(await readiness()).toEqual([200, [{ service: "fulcio", warning }]]);
    ctLog.answer = (...call) => ctLog.right(...call);
    expect((await enrol()).status).toBe(200);
    expect(await readiness()).toEqual([200, undefined]);
  });

  const wrong: Record<string, [HttpCtLog["answer"], string]> = {
    "refuses the chain": [(_request, response) => response.writeHead(400).end(), "the CT log answers with status 400"],
    fails: [(_request, response) => response.writeHead(500).end(), "the CT log answers with status 500"],
    "sends us elsewhere": [
      (_request, response) => response.writeHead(302, { Location: "http://127.0.0.1:1/" }).end(),
      "the CT log answers with status 302",
    ],
    "answers HTML": [(_request, response) => response.end("<html>"), "CT log's answer: no JSON value (at 0)"],
    "answers without end": [
      (_request, response) => {
        const pour = setInterval(() => response.write("x".repeat(16_384)), 1);
        response.on("close", () => clearInterval(pour));
      },
      "the CT log answers with more than 64 KiB",
    ],
    "switches to another protocol": [
      ({ socket }) => socket.end("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
      "the CT log answers with status 101",
    ],
    "answers with another log's SCT": [
      (_request, response, chain) => {
        void new MemoryCtLog().addPreChain(chain).then((sct) => response.end(JSON.stringify(sctToJson(sct))));
      },
      "SCT: log ID is not that of the log's key",
    ],
    "answers with an SCT for something else": [
      (_request, response, chain) => {
        void ctLog.log
          .addPreChain(chain)
          .then((sct) => response.end(JSON.stringify(sctToJson({ ...sct, timestamp: 1 }))));
      },
      "SCT: ",
    ],
  };
  test.for(Object.entries(wrong))(
    "that %s: 500 in upstream's words, and no certificate",
    async ([, [answer, reason]]) => {
      ctLog.answer = answer;
      const { refused } = await refusedBy();
      expect(refused.told()).toContain(reason);
    },
  );

  const silences: Record<string, HttpCtLog["answer"]> = {
    "says nothing": () => undefined,
    "stops after its headers": (_request, response) => response.writeHead(200).flushHeaders(),
    "drips its answer": (_request, response) => {
      const drip = setInterval(() => response.write(" "), 100);
      response.on("close", () => clearInterval(drip));
    },
    "is always busy, and slow to say so": (_request, response) =>
      void setTimeout(() => response.writeHead(503).end(), 1_900),
  };
  test(`that ${Object.keys(silences).join(", or ")}: the same, within five seconds`, { timeout: 15_000 }, async () => {
    const left = Object.values(silences);
    let open = 0;
    ctLog.answer = (request, response, chain) => {
      open++;
      response.on("close", () => open--);
      // Busy is the last, and it alone is asked again.
      (left.length > 1 ? left.shift() : left[0])?.(request, response, chain);
    };
    for (const { refused, took } of await Promise.all(Object.keys(silences).map(() => refusedBy()))) {
      expect(took).toBeLessThan(5_000);
      expect(refused.told()).toBe("Error entering certificate in CTL: the CT log did not answer in time");
    }
    await expect.poll(() => open, { message: "connections are closed" }).toBe(0);
    ctLog.answer = (...call) => ctLog.right(...call);
    expect((await enrol()).status, "it is asked again when it is back").toBe(200);
  });

  test("that is down: the same, sooner", { timeout: 15_000 }, async () => {
    await ctLog.close();
    const { refused, took } = await refusedBy();
    expect(took).toBeLessThan(4_000);
    expect(refused.told()).toBe("Error entering certificate in CTL: the CT log cannot be reached");
    await ctLog.listen(Number(new URL(ctLog.url).port));
  });

  test.for([
    ["log.example.com", "is not an absolute http or https URL"],
    ["ftp://log.example.com", "is not an absolute http or https URL"],
    ["https://user:password@log.example.com", "must not carry a user or a password"],
    ["https://log.example.com/?a=b", "has a query or a fragment"],
  ])("is not one at %s", ([url, reason]) => {
    expect(() => new RemoteCtLog({ url: url! })).toThrow(reason);
  });
});
