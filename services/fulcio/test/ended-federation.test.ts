import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, startEmbedded } from "@chancery/postgres";
import { expect, test } from "vitest";
import { PostgresIssuanceHistory, PostgresIssuanceLedger } from "../src/index.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { type FulcioOptions, startFulcio } from "./fulcio-under-test.ts";

const config = (url: string, rest = "") => `oidc-issuers: { "${url}": { client-id: sigstore, type: email${rest} } }`;

test("after a restart certificates of a federation that ended look like changed rows, unless the operator names it", async () => {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "ended-federation-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const server = await startEmbedded({ directory });
  opened.defer(() => server.stop());
  const db = opened.use(await Database.open(server.url, { max: 4 }));
  const auditing = { history: new PostgresIssuanceHistory(db) };
  const ledger = await PostgresIssuanceLedger.open(db);
  const [dex, other] = [opened.use(await FakeIssuer.start()), opened.use(await FakeIssuer.start())];
  const told = async (options: Pick<FulcioOptions, "config" | "onceFederated">) => {
    await using fulcio = await startFulcio({ ...options, ledger, auditing });
    const { results } = (await fulcio.request("/api/chancery/v1/certificates")).json();
    const [{ serial }] = results;
    const one = (await fulcio.request(`/api/chancery/v1/certificates/${serial}`)).json();
    return [results[0].contradicts, one.contradicts];
  };

  const federating = config(dex.url, `, issuer-claim: "$.federated_claims.connector_id"`);
  {
    await using before = await startFulcio({ config: federating, ledger, auditing });
    const token = dex.token({ federated_claims: { connector_id: "https://github.com/login/oauth" } });
    expect((await before.enrol(token, "dev@example.com")).status).toBe(200);
  }
  expect(await told({ config: federating })).toEqual([undefined, undefined]);
  expect(await told({ config: config(other.url) })).toEqual(["issuer", "issuer"]);
  expect(await told({ config: config(other.url), onceFederated: [other.url] })).toEqual(["issuer", "issuer"]);
  expect(await told({ config: config(other.url), onceFederated: [dex.url] })).toEqual([undefined, undefined]);
});
