import { Unavailable } from "@chancery/fault";
import { beforeEach, describe, expect, test } from "vitest";
import type { DocumentSource } from "../src/domain/discovery.ts";
import { IssuerKeys } from "../src/domain/issuer-keys.ts";
import { IssuerPool } from "../src/domain/issuer-pool.ts";
import { parseFulcioConfig } from "../src/index.ts";
import { createSigningKey } from "./fake-issuer.ts";

const MINUTE = 60_000;
const pool = new IssuerPool(
  parseFulcioConfig(`
oidc-issuers:
  https://one.example.com: { client-id: a, type: email }
  https://two.example.com: { client-id: a, type: email }
meta-issuers:
  https://*.tenants.example.com: { client-id: a, type: email }
  https://*.tenants.example.com/*: { client-id: a, type: email }
`).issuers,
);
const [one, two] = ["https://one.example.com", "https://two.example.com"].map((url) => pool.match(url)) as [
  ReturnType<typeof pool.match>,
  ReturnType<typeof pool.match>,
];
const tenant = (name: string) => pool.match(`https://${name}.tenants.example.com`);

/** Issuers that answer from memory, and a clock that a test turns. */
let now = 0;
let asked: string[] = [];
let down: (url: URL) => boolean = () => false;
let wait: Promise<void> = Promise.resolve();
const jwk = createSigningKey().jwk;
const documents: DocumentSource = async (url, issuer) => {
  asked.push(url.href);
  await wait;
  if (down(url)) throw new Unavailable("down", 1);
  const document = url.pathname.endsWith("openid-configuration")
    ? { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` }
    : { keys: [jwk], answer: asked.length };
  return new TextEncoder().encode(JSON.stringify(document));
};
let keys: IssuerKeys;
const fetches = (end = "/keys") => asked.filter((url) => url.endsWith(end)).length;
const settled = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  [now, asked, down, wait] = [1_000_000, [], () => false, Promise.resolve()];
  keys = new IssuerKeys(documents, () => now, false);
});

describe("the keys of an issuer", () => {
  test("are loaded once for a thousand requests at the same time", async () => {
    const sets = await Promise.all(Array.from({ length: 1_000 }, () => keys.current(one)));
    expect(new Set(sets).size).toBe(1);
    expect(asked).toEqual(["https://one.example.com/.well-known/openid-configuration", "https://one.example.com/keys"]);
  });

  test("are renewed in the background after five minutes, without discovery", async () => {
    const first = await keys.current(one);
    now += 5 * MINUTE;
    expect(await keys.current(one)).toBe(first);
    await settled();
    expect(await keys.current(one)).not.toBe(first);
    expect([fetches("openid-configuration"), fetches()]).toEqual([1, 2]);
  });

  test("are waited for after ten minutes: a withdrawn key ends then", async () => {
    const first = await keys.current(one);
    now += 10 * MINUTE;
    expect(await keys.current(one)).not.toBe(first);
  });

  test("outlive an outage by an hour, and nobody waits for the issuer meanwhile", async () => {
    const first = await keys.current(one);
    down = () => true;
    now += 11 * MINUTE;
    expect(await keys.current(one)).toBe(first);
    wait = new Promise(() => undefined);
    now += 40 * MINUTE;
    expect(await keys.current(one)).toBe(first);
    wait = Promise.resolve();
    keys = new IssuerKeys(documents, () => now, false);
  });

  test("end an hour after they were loaded: then the answer is 503, and the issuer is asked every ten seconds", async () => {
    await keys.current(one);
    down = () => true;
    now += 60 * MINUTE;
    await expect(keys.current(one)).rejects.toMatchObject({ code: "unavailable", retryAfter: 10 });
    const soFar = asked.length;
    now += 9_000;
    await expect(keys.current(one)).rejects.toMatchObject({ code: "unavailable", retryAfter: 1 });
    expect(asked.length).toBe(soFar);
    now += 1_000;
    await expect(keys.current(one)).rejects.toBeInstanceOf(Unavailable);
    expect(asked.length).toBe(soFar + 1);
    down = () => false;
    now += 10_000;
    await expect(keys.current(one)).resolves.toBeDefined();
  });

  test("do not come from another issuer, nor wait for one", async () => {
    wait = new Promise(() => undefined);
    void keys.current(one);
    await settled();
    wait = Promise.resolve();
    await keys.current(two);
    expect(asked.filter((url) => url.startsWith("https://one."))).toHaveLength(1);
  });

  test("are discovered anew after they could not be got", async () => {
    await keys.current(one);
    down = (url) => url.pathname === "/keys";
    now += 11 * MINUTE;
    await keys.current(one);
    down = () => false;
    now += 10_000;
    await keys.current(one);
    await settled();
    expect(fetches("openid-configuration")).toBe(2);
  });
});

const cluster = "https://kubernetes.default.svc.cluster.local";

/** Where the keys are asked for of an issuer whose discovery says they are at `jwksUri`. */
async function keysAsked(url: string, jwksUri: string, type = "kubernetes"): Promise<string | undefined> {
  const config = `oidc-issuers: { "${url}": { client-id: a, type: ${type} } }`;
  const source: DocumentSource = async (at) => {
    asked.push(at.href);
    const document = at.pathname.endsWith("openid-configuration")
      ? { issuer: url, jwks_uri: jwksUri }
      : { keys: [jwk] };
    return new TextEncoder().encode(JSON.stringify(document));
  };
  const issuer = new IssuerPool(parseFulcioConfig(config).issuers).match(url);
  await new IssuerKeys(source, () => now, false).current(issuer);
  return asked.at(-1);
}

describe("the keys of the cluster that we run in", () => {
  test("are asked for at the name that we know it by, where our token is shown, whatever address it names", async () => {
    const node = "https://172.18.0.2:6443/openid/v1/jwks";
    expect(await keysAsked(cluster, node)).toBe(`${cluster}/openid/v1/jwks`);
    expect(await keysAsked("https://kubernetes.default.svc", node)).toBe(
      "https://kubernetes.default.svc/openid/v1/jwks",
    );
  });

  test("are where the cluster says if that is no API server, and another issuer's always are", async () => {
    const bucket = "https://keys.example.com/cluster/jwks.json";
    expect(await keysAsked(cluster, bucket)).toBe(bucket);
    const node = "https://172.18.0.2:6443/openid/v1/jwks";
    expect(await keysAsked("https://cluster.example.com", node)).toBe(node);
    expect(await keysAsked(cluster, node, "email")).toBe(node);
  });
});

describe("a token that no known key verifies", () => {
  test("causes one load in ten seconds, however many there are", async () => {
    const known = await keys.current(one);
    now += 10_000;
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => keys.newerThan(known, one)));
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).not.toBe(known);
    const newer = answers[0]!;
    for (let second = 0; second < 9; second++) {
      now += 1_000;
      expect(await keys.newerThan(newer, one)).toBeUndefined();
    }
    expect(fetches()).toBe(2);
  });

  test("causes none when the keys were loaded just now", async () => {
    const known = await keys.current(one);
    expect(await keys.newerThan(known, one)).toBeUndefined();
    expect(fetches()).toBe(1);
  });

  test("is answered 503 while the issuer is down: the key may be a new one", async () => {
    const known = await keys.current(one);
    down = () => true;
    now += 10_000;
    await expect(keys.newerThan(known, one)).rejects.toMatchObject({ code: "unavailable" });
    await expect(keys.newerThan(known, one)).rejects.toMatchObject({ code: "unavailable" });
    expect(await keys.current(one)).toBe(known);
  });
});

const slow = (path: number) => pool.match(`https://${path % 2 ? "Slow" : "slow"}.tenants.example.com/${path}`);

describe("issuers behind a pattern", () => {
  test("are kept apart", async () => {
    expect(await keys.current(tenant("a"))).not.toBe(await keys.current(tenant("b")));
  });

  test("that are invented push no real one out", async () => {
    const real = await keys.current(tenant("real"));
    down = (url) => !url.host.startsWith("real");
    for (let invented = 0; invented < 500; invented++) {
      await expect(keys.current(tenant(`x${invented}`))).rejects.toThrow(/cannot be asked/);
    }
    expect(await keys.current(tenant("real"))).toBe(real);
    expect(asked.filter((url) => url.includes("real"))).toHaveLength(2);
  });

  test("are asked sixteen at a time", async () => {
    wait = new Promise(() => undefined);
    for (let place = 0; place < 16; place++) void keys.current(tenant(`slow${place}`));
    await settled();
    await expect(keys.current(tenant("one-more"))).rejects.toMatchObject({ code: "unavailable", retryAfter: 1 });
    expect(asked).toHaveLength(16);
    wait = Promise.resolve();
    await expect(keys.current(one)).resolves.toBeDefined();
  });

  test("that one slow host invents take four places, and leave the others to the rest", async () => {
    wait = new Promise(() => undefined);
    for (let path = 0; path < 4; path++) void keys.current(slow(path));
    await settled();
    await expect(keys.current(slow(4))).rejects.toMatchObject({ code: "unavailable", retryAfter: 1 });
    wait = Promise.resolve();
    await expect(keys.current(tenant("new"))).resolves.toBeDefined();
  });

  test("that are invented do not hold up the renewal of real ones", async () => {
    const real = await keys.current(tenant("real"));
    wait = new Promise(() => undefined);
    for (let place = 0; place < 16; place++) void keys.current(tenant(`slow${place}`));
    await settled();
    wait = Promise.resolve();
    now += 61 * MINUTE;
    expect(await keys.current(tenant("real"))).not.toBe(real);
  });
});
