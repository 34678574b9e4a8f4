import { expect, test } from "vitest";
import { federatedIssuers } from "../src/federated-issuers.ts";

test("--federated-issuer names an issuer letter by letter, or all tenants of a pattern, and no other", () => {
  const isFederated = federatedIssuers(["https://dex.example.com", "https://*.dex.example.com/t/*"]);
  expect(isFederated("https://dex.example.com")).toBe(true);
  expect(isFederated("https://a.dex.example.com/t/b")).toBe(true);
  for (const other of ["https://dex.example.com/", "https://dexaexample.com", "https://a.b.dex.example.com/t/c", ""]) {
    expect(isFederated(other), other).toBe(false);
  }
  expect(federatedIssuers([])("https://dex.example.com")).toBe(false);
});
