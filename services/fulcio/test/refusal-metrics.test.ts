import "reflect-metadata";
import { expect, test } from "vitest";
import { FakeIssuer } from "./fake-issuer.ts";
import { startFulcio } from "./fulcio-under-test.ts";

test("refusals are counted by their code, and what a policy in dry run would refuse by its rule", async () => {
  await using issuer = await FakeIssuer.start();
  const policy = "{ default: deny, dry-run: true, deny: { contractors: { claim: groups, contains: ext } } }";
  const config = `oidc-issuers: { "${issuer.url}": { issuer-url: "${issuer.url}", client-id: sigstore, type: email, policy: ${policy} } }`;
  await using fulcio = await startFulcio({ config });
  const metrics = async () => await (await fetch(fulcio.service.metricsUrl!)).text();
  expect(await metrics()).toMatch(/^chancery_refusals_total\{code="policy"\} 0$/m);
  const email = "dev@example.com";
  const statuses = [];
  for (const claims of [{}, {}, { groups: ["ext"] }, { aud: "npm" }, { aud: "npm" }])
    statuses.push((await fulcio.enrol(issuer.token(claims), email)).status);
  expect(statuses).toEqual([200, 200, 200, 400, 400]);
  const after = await metrics();
  expect(after).toMatch(/^chancery_refusals_total\{code="audience"\} 2$/m);
  expect(after).toMatch(/^chancery_refusals_total\{code="policy"\} 0$/m);
  expect(after).toMatch(/^chancery_dry_run_refusals_total\{rule="\(default\)"\} 2$/m);
  expect(after).toMatch(/^chancery_dry_run_refusals_total\{rule="contractors"\} 1$/m);
});
