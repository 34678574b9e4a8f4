import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { isIPv6 } from "node:net";
import { dirname } from "node:path";
import type { AuditorConfig } from "@chancery/auditor";
import { CurrentIssuers } from "@chancery/fulcio";
import type { Database } from "@chancery/postgres";
import type { TrustMaterial } from "@chancery/trust";
import type { ReadAccess, Reader, RunningService } from "@chancery/service";
import { indexAuditOf } from "./audited-index.ts";
import { canaryLeftOut } from "./canary-rules.ts";
import type { Installation } from "./installation.ts";
import type { Settings } from "./settings.ts";

/** Whom the canary is, by the word of the identity provider beside it. */
const CANARY_IDENTITY = "auditor@chancery.example";
const AUDITOR: Reader = { name: "the auditor beside the services", roles: ["reader", "auditor"] };

/**
 * The auditor in the process of what it audits. It reads what everyone reads, on the shortest way: that the other ways show
 * the same is what vantage points are for. Where not everyone may read it shows a token of this process's life.
 */
export class AuditorBeside {
  readonly #settings: Settings;
  readonly #token = randomBytes(32).toString("base64url");

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Lets the auditor in beside those who are let in. */
  admitted(access: ReadAccess | undefined): ReadAccess | undefined {
    if (access === undefined) return undefined;
    const own = hashOf(`Bearer ${this.#token}`);
    return {
      guardsLogs: access.guardsLogs,
      wanted: access.wanted,
      loginUrl: (path) => access.loginUrl(path),
      readerOf: async (shown) =>
        timingSafeEqual(hashOf(shown.authorization ?? ""), own) ? AUDITOR : access.readerOf(shown),
    };
  }

  /** Undefined: none is to run. */
  config(
    { keys, rekorShards }: Installation,
    db: Database,
    service: () => RunningService,
    material: TrustMaterial,
  ): AuditorConfig | undefined {
    const { auditor, data, anchor, tls, fulcio } = this.#settings;
    if (auditor === undefined) return undefined;
    const url = this.#url();
    const { canary, ...settings } = auditor;
    return {
      ...settings,
      url,
      way: {
        bearer: async () => this.#token,
        // Its certificate is for the name that others know it by.
        ...(tls === undefined ? {} : { fetch: (asked, request) => injected(service(), asked, request) }),
      },
      ctLog: typeof fulcio.ctLog === "string" ? fulcio.ctLog : "other",
      // As they are then: issuers change while this runs.
      isFederated: (issuer) => service().app.get(CurrentIssuers).isFederated(issuer),
      canary: canary && {
        everyMs: canary.everyMs,
        token: this.#tokenSource(url),
        leftOut: canaryLeftOut(canary, this.#settings),
      },
      // Two disks may fill.
      folders: dirname(anchor) === data ? [data] : [data, anchor],
      keys: {
        rekor: rekorShards.map(({ signer }) => signer.publicKey.keyObject),
        "rekor-v2": keys["rekor-v2"].publicKey.keyObject,
        ctlog: keys.ctlog.publicKey.keyObject,
      },
      verifyIndex: indexAuditOf(db),
      insight: { db, anchor },
      trustMaterial: new Map(material.targets.map(({ name, bytes }) => [name, bytes])),
    };
  }

  #url(): string {
    const { host, port } = this.#settings;
    const near = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : isIPv6(host) ? `[${host}]` : host;
    return `http://${near}:${port}`;
  }

  /** In development anyone is let in by name, so the auditor has one too. */
  #tokenSource(url: string) {
    const { auditor, issuers } = this.#settings;
    const file = auditor?.canary?.tokenFile;
    if (file !== undefined) return { file };
    return issuers === undefined ? { url: `${url}/idp/token?email=${CANARY_IDENTITY}` } : undefined;
  }
}

function hashOf(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

async function injected({ app }: RunningService, asked: string, request: RequestInit): Promise<Response> {
  const { pathname, search } = new URL(asked);
  const answer = await app.inject({
    method: request.method === "POST" ? "POST" : "GET",
    url: pathname + search,
    headers: Object.fromEntries(new Headers(request.headers)),
    ...(typeof request.body === "string" || request.body instanceof Uint8Array
      ? { payload: Buffer.from(request.body) }
      : {}),
  });
  const headers = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)]);
  return new Response(new Uint8Array(answer.rawPayload), { status: answer.statusCode, headers });
}
