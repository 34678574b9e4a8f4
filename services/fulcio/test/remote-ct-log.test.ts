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
      const refused = await enrol();
      expect([refused.status, refused.json().code]).toEqual([500, 13]);
      expect(refused.json().message).toBe("Error entering certificate in CTL");
      expect(refused.told()).toContain(reason);
      expect(refused.body).not.toContain("CERTIFICATE");
    },
  );

  test.for(["says nothing", "is down"])("that %s: the same, within five seconds", { timeout: 15_000 }, async (how) => {
    if (how === "is down") await ctLog.close();
    ctLog.answer = () => {};
    const started = performance.now();
    const refused = await enrol();
    expect(performance.now() - started).toBeLessThan(8_000);
    expect([refused.status, refused.told()]).toEqual([
      500,
      `Error entering certificate in CTL: the CT log ${how === "is down" ? "cannot be reached" : "did not answer in time"}`,
    ]);
    if (how === "is down") await ctLog.listen(Number(new URL(ctLog.url).port));
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
