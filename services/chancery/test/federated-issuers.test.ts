import { expect, test } from "vitest";
import { federatedIssuers } from "../src/federated-issuers.ts";
import { fulcioSettings } from "../src/fulcio-settings.ts";

test("--federated-issuer names an issuer letter by letter, or all tenants of a pattern, and no other", () => {
  const isFederated = federatedIssuers(["https://dex.example.com", "https://*.dex.example.com/t/*"]);
  expect(isFederated("https://dex.example.com")).toBe(true);
  expect(isFederated("https://a.dex.example.com/t/b")).toBe(true);
  for (const other of ["https://dex.example.com/", "https://dexaexample.com", "https://a.b.dex.example.com/t/c", ""]) {
    expect(isFederated(other), other).toBe(false);
  }
  expect(federatedIssuers([])("https://dex.example.com")).toBe(false);
});

test("once-federated takes issuers and patterns of them, and nothing that no issuer could be", async () => {
  const onceFederated = ["https://dex.example.com", "https://*.dex.example.com/t/*"];
  expect(await fulcioSettings({ "once-federated": onceFederated })).toEqual({ ctLog: "own", onceFederated });
  for (const wrong of ["dex", "https://*", "https://**.example.com", "https://dex.example.com?x=y"]) {
    const settings = fulcioSettings({ "once-federated": [...onceFederated, wrong] });
    await expect(settings, wrong).rejects.toThrow(/^chancery\.fulcio\.once-federated\.2: /);
  }
});
