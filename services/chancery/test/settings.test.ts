import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseTimeServer } from "../src/auditor-settings.ts";
import { fulcioConfig } from "../src/fulcio-config.ts";
import { describeDatabase } from "../src/own-database.ts";
import { resolveSettings, type Environment, type ServeFlags } from "../src/settings.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-settings-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ISSUER = `oidc-issuers:
  https://issuer.example.com:
    issuer-url: https://issuer.example.com
    client-id: sigstore
    type: email
`;

/** A billion laughs: each line holds the one before nine times. */
const BOMB = ["a", "b", "c", "d", "e", "f", "g"]
  .map((name, level) => {
    const below = level === 0 ? "lol" : `*${String.fromCharCode(96 + level)}`;
    return `${name}: &${name} [${Array(9).fill(below).join(",")}]\n`;
  })
  .join("");

let count = 0;
async function file(text: string): Promise<string> {
  count += 1;
  const path = join(folder, `${count}.yaml`);
  await writeFile(path, text);
  return path;
}

const settings = (environment: Environment = {}, flags: ServeFlags = {}) => resolveSettings(flags, environment);

describe("without anything", () => {
  test("development mode on loopback with an embedded database", async () => {
    expect(await settings()).toEqual({
      check: expect.any(Function),
      host: "127.0.0.1",
      port: 8700,
      url: "http://localhost:8700",
      data: resolve("./.chancery"),
      anchor: resolve("./.chancery/anchor"),
      databaseUrl: undefined,
      databaseLeastPrivilege: false,
      issuers: undefined,
      logLevel: "info",
      accessLog: false,
      grpc: undefined,
      fulcio: { ctLog: "own" },
      rekor: {},
      auditor: {
        state: resolve("./.chancery/auditor"),
        vantagePoints: [],
        webhook: undefined,
        canary: { everyMs: 60_000, tokenFile: undefined, logs: undefined },
        timeServers: [],
      },
      configFile: undefined,
      metrics: undefined,
    });
  });

  test("the auditor can be switched off, and is told nothing else in a variable", async () => {
    expect((await settings({ CHANCERY_AUDITOR: "off" })).auditor).toBeUndefined();
    await expect(settings({ CHANCERY_AUDITOR: "no" })).rejects.toThrow("CHANCERY_AUDITOR: no is neither on nor off");
  });

  test.for([
    ["ntp.example.com", "ntp.example.com", 123],
    ["10.0.0.1:1123", "10.0.0.1", 1123],
    ["fd00::1", "fd00::1", 123],
    ["[fd00::1]:124", "fd00::1", 124],
  ] as const)("the auditor's time server may be %s", ([written, host, port]) => {
    expect(parseTimeServer("time-servers", written)).toEqual({ host, port });
  });

  test.for(["", "ntp.example.com/", "ntp://a", "a b", "a:0", "a:99999", "user@host", "a?b", ":123"])(
    "and not %j",
    (written) => {
      expect(() => parseTimeServer("time-servers", written)).toThrow(/^time-servers: .* is not a host or host:port$/);
    },
  );

  test("the URL follows the port", async () => {
    expect((await settings({ CHANCERY_PORT: "9000" })).url).toBe("http://localhost:9000");
  });

  test("an empty variable is one that was not given", async () => {
    expect((await settings({ CHANCERY_PORT: "", CHANCERY_DATABASE_URL: "", CHANCERY_CONFIG: "" })).port).toBe(8700);
  });
});

describe("who wins", () => {
  test("flag over variable over file over default", async () => {
    const config = await file(`${ISSUER}chancery:\n  port: 1001\n  host: 10.0.0.1\n  log-level: debug\n`);
    const environment = { CHANCERY_CONFIG: config, CHANCERY_PORT: "1002", CHANCERY_URL: "https://a.example" };
    expect(await settings(environment)).toMatchObject({ port: 1002, host: "10.0.0.1", logLevel: "debug" });
    expect(await settings(environment, { port: "1003" })).toMatchObject({ port: 1003 });
    expect(await settings({ CHANCERY_CONFIG: config, CHANCERY_HOST: "::1" })).toMatchObject({
      port: 1001,
      url: "http://localhost:1001",
    });
  });
});

describe("the anchors' folder", () => {
  test("follows the data folder unless it is said, by flag over variable over file", async () => {
    const config = await file(`${ISSUER}chancery:\n  anchor: /from/file\n`);
    const CHANCERY_CONFIG = config;
    const CHANCERY_URL = "https://a.example";
    expect((await settings({ CHANCERY_DATA: "/there" })).anchor).toBe("/there/anchor");
    expect((await settings({ CHANCERY_CONFIG, CHANCERY_URL })).anchor).toBe("/from/file");
    const environment = { CHANCERY_CONFIG, CHANCERY_URL, CHANCERY_ANCHOR: "/from/variable" };
    expect((await settings(environment)).anchor).toBe("/from/variable");
    expect((await settings(environment, { anchor: "from-flag" })).anchor).toBe(resolve("from-flag"));
  });

  test("is not the data folder itself, whose names are others'", async () => {
    await expect(settings({ CHANCERY_DATA: "/there", CHANCERY_ANCHOR: "/there/" })).rejects.toThrow(
      "CHANCERY_ANCHOR: /there is the data folder; name a folder of its own",
    );
  });

  test("misspelt is refused, for the log would look for its anchor elsewhere", async () => {
    await expect(settings({ CHANCERY_ANCHORS: "/there" })).rejects.toThrow(
      /^CHANCERY_ANCHORS: there is no such setting; known are .*CHANCERY_ANCHOR,/,
    );
  });
});

describe("with a configuration", () => {
  test("its issuers are the only ones, and any host will do", async () => {
    const config = await file(ISSUER);
    const { issuers, host } = await settings({
      CHANCERY_CONFIG: config,
      CHANCERY_HOST: "0.0.0.0",
      CHANCERY_URL: "https://a.example",
    });
    expect(host).toBe("0.0.0.0");
    expect(issuers?.map(({ url, type }) => [url, type])).toEqual([["https://issuer.example.com", "email"]]);
  });

  test("beyond loopback its URL must be said", async () => {
    const refused = settings({ CHANCERY_CONFIG: await file(ISSUER), CHANCERY_HOST: "0.0.0.0" });
    await expect(refused).rejects.toThrow(/^CHANCERY_URL: must be said/);
  });

  test.for(["*url :", "*url:"])(
    "an anchor as a key, written %s as upstream's production file may, is understood",
    async (key) => {
      const config = await file(`define:
  - &url "https://issuer.example.com"
oidc-issuers:
  ${key}
    issuer-url: *url
    client-id: sigstore
    type: email
`);
      expect((await settings({ CHANCERY_CONFIG: config })).issuers?.[0]?.url).toBe("https://issuer.example.com");
    },
  );

  test("the legacy JSON spelling is understood", async () => {
    const config = await file(
      '{"OIDCIssuers":{"https://a.example":{"IssuerURL":"https://a.example","ClientID":"sigstore","Type":"email"}}}',
    );
    expect((await settings({ CHANCERY_CONFIG: config })).issuers?.[0]?.clientId).toBe("sigstore");
  });

  test.for([
    ["", "must be a mapping of keys"],
    [`${ISSUER}oidc-isuers: {}`, "oidc-isuers: "],
    [`${ISSUER}foo: {}`, ".yaml: foo: is not a key that is known here; known are oidc-issuers"],
    [`${ISSUER}chancery: {host: 1}`, "chancery.host: must be a text (in "],
    [`${ISSUER}chancery: {prot: 9000}`, "chancery.prot: unknown key"],
    [`${ISSUER}chancery: {port: 0}`, "chancery.port: "],
    [`${ISSUER}chancery: {metrics: {port: 2112, pprof: true}}`, "chancery.metrics.pprof: unknown key"],
    [`${ISSUER}chancery: {log-level: loud}`, "chancery.log-level: "],
    [`${ISSUER}${ISSUER}`, "Map keys must be unique"],
    [ISSUER.replace("type: email", "type: emial"), "emial"],
    [BOMB, "alias"],
  ])("%j is refused", async ([text, reason]) => {
    await expect(settings({ CHANCERY_CONFIG: await file(text!) })).rejects.toThrow(reason);
  });

  test("a file that is not there is named", async () => {
    await expect(settings({}, { config: "/nowhere/x.yaml" })).rejects.toThrow(
      "/nowhere/x.yaml: the file cannot be read",
    );
  });
});

describe("what cannot be", () => {
  test.for<[Environment, string]>([
    [{ CHANCERY_PORT: "0" }, "CHANCERY_PORT: 0 is not a port from 1 to 65535"],
    [{ CHANCERY_PORT: "65536" }, "CHANCERY_PORT: 65536 is not a port"],
    [{ CHANCERY_PORT: "8700x" }, "CHANCERY_PORT: 8700x is not a port"],
    [{ CHANCERY_HOST: "a b" }, "CHANCERY_HOST: a b is neither an IP address nor a host name"],
    [{ CHANCERY_URL: "localhost:8700" }, "CHANCERY_URL: localhost:8700 is not an absolute http or https URL"],
    [{ CHANCERY_URL: "http://localhost/x" }, "must be an origin"],
    [{ CHANCERY_URL: "http://localhost/?" }, "must be an origin"],
    [{ CHANCERY_URL: "http://u:p@localhost" }, "must not carry a user"],
    [{ CHANCERY_DATABASE_URL: "mysql://a:hunter2@b/c" }, "CHANCERY_DATABASE_URL: must look like postgres://"],
    [{ CHANCERY_DATABASE_PASSWORD_FILE: "/x" }, "CHANCERY_DATABASE_PASSWORD_FILE: needs CHANCERY_DATABASE_URL"],
    [{ CHANCERY_DATBASE_URL: "postgres://a/b" }, "CHANCERY_DATBASE_URL: there is no such setting"],
  ])("%o is refused with the key and the reason", async ([environment, reason]) => {
    await expect(settings(environment)).rejects.toThrow(reason);
  });

  test("a flag is named as a flag, and an empty one is refused", async () => {
    await expect(settings({}, { port: "x" })).rejects.toThrow("--port: x is not a port");
    await expect(settings({}, { data: "" })).rejects.toThrow("--data: must not be empty");
  });

  test("no complaint repeats a password", async () => {
    const refused = settings({ CHANCERY_DATABASE_URL: "mysql://a:hunter2@b/c" });
    await expect(refused).rejects.not.toThrow("hunter2");
  });

  test("what Kubernetes sets for a service called chancery is nobody's typing mistake", async () => {
    const links = {
      CHANCERY_PORT: "tcp://10.0.0.1:80",
      CHANCERY_SERVICE_HOST: "10.0.0.1",
      CHANCERY_PORT_8700_TCP_ADDR: "10.0.0.1",
      CHANCERY_DB_PORT: "x",
    };
    expect((await settings(links)).port).toBe(8700);
  });
});

describe("development mode stays on this machine", () => {
  test.for(["0.0.0.0", "::", "192.168.1.7", "example.com"])("listening on %s is refused", async (host) => {
    await expect(settings({ CHANCERY_HOST: host })).rejects.toThrow(/^CHANCERY_HOST: .*CHANCERY_CONFIG/);
  });

  test("a public name in front is refused: a proxy here would open it to the world", async () => {
    const refused = settings({ CHANCERY_URL: "https://sigstore.example.com" });
    await expect(refused).rejects.toThrow(/^CHANCERY_URL: .*CHANCERY_CONFIG/);
  });

  test.for(["127.0.0.1", "127.8.8.8", "::1", "localhost"])("%s is fine", async (host) => {
    expect((await settings({ CHANCERY_HOST: host })).host).toBe(host);
  });
});

describe("a database of one's own", () => {
  test("its password may come from a file, with or without a final newline", async () => {
    const secret = await file("p@ss/word\n");
    const environment = {
      CHANCERY_DATABASE_URL: "postgres://chancery@db:5432/chancery",
      CHANCERY_DATABASE_PASSWORD_FILE: secret,
    };
    expect((await settings(environment)).databaseUrl).toBe("postgres://chancery:p%40ss%2Fword@db:5432/chancery");
    const twice = { ...environment, CHANCERY_DATABASE_URL: "postgres://chancery:x@db/chancery" };
    await expect(settings(twice)).rejects.toThrow("CHANCERY_DATABASE_URL has a password already");
  });

  test.for([
    ["postgres://u:p@/name?host=/run/postgresql", "PostgreSQL /run/postgresql/name"],
    ["postgresql://u@/name?host=db.example", "PostgreSQL db.example/name"],
    ["postgres:///name?host=/run/postgresql&user=u", "PostgreSQL /run/postgresql/name"],
    ["postgres://u:p@db.example:5433/name", "PostgreSQL db.example:5433/name"],
    ["postgres:///name", "PostgreSQL local/name"],
  ] as const)("%s is taken as PostgreSQL takes it", async ([url, described]) => {
    expect((await settings({ CHANCERY_DATABASE_URL: url })).databaseUrl).toBe(url);
    expect(describeDatabase(url)).toBe(described);
  });

  test("on a socket its password may come from a file too", async () => {
    const environment = {
      CHANCERY_DATABASE_URL: "postgres://u@/name?host=%2Frun%2Fpostgresql",
      CHANCERY_DATABASE_PASSWORD_FILE: await file("secret"),
    };
    const url = (await settings(environment)).databaseUrl;
    expect(url).toBe("postgres://u:secret@localhost/name?host=%2Frun%2Fpostgresql");
  });

  test.for(["mysql://u@db/name", "db/name", "postgres//u@db"])("%s is refused without repeating it", async (url) => {
    const refused = settings({ CHANCERY_DATABASE_URL: url });
    await expect(refused).rejects.toThrow(
      /^CHANCERY_DATABASE_URL: must look like postgres:\/\/user@host:5432\/database$/,
    );
  });
});

describe("gRPC", () => {
  test("is served where its port is named, by flag over variable over file", async () => {
    const config = await file(`${ISSUER}chancery: { url: "https://a.example.com", grpc: { port: 9001 } }\n`);
    const CHANCERY_CONFIG = config;
    expect((await settings({ CHANCERY_CONFIG })).grpc).toEqual({ port: 9001, host: "127.0.0.1" });
    expect((await settings({ CHANCERY_CONFIG, CHANCERY_GRPC_PORT: "9002" })).grpc!.port).toBe(9002);
    const flags = { "grpc-port": "9003", host: "0.0.0.0" };
    expect((await settings({ CHANCERY_CONFIG }, flags)).grpc).toEqual({ port: 9003, host: "0.0.0.0" });
    expect((await settings({ CHANCERY_GRPC_PORT: "tcp://10.0.0.1:5554" })).grpc).toBeUndefined();
    await expect(settings({ CHANCERY_GRPC_PORT: "x" })).rejects.toThrow("CHANCERY_GRPC_PORT: x is not a port");
  });

  test("takes its certificate from files beside the configuration", async () => {
    const tls = "{ certificate: tls/grpc.pem, key: /etc/grpc.key }";
    const config = await file(`${ISSUER}chancery: { url: "https://a.example.com", grpc: { port: 1, tls: ${tls} } }\n`);
    expect((await settings({ CHANCERY_CONFIG: config })).grpc!.tls).toEqual({
      certificate: join(folder, "tls/grpc.pem"),
      key: "/etc/grpc.key",
    });
  });
});

async function fulcio(section: string) {
  const config = await file(`${ISSUER}chancery: { url: "https://a.example.com", fulcio: ${section} }\n`);
  return (await settings({ CHANCERY_CONFIG: config })).fulcio;
}

describe("what Fulcio is told beside its issuers", () => {
  test("another CT log, or none", async () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await writeFile(join(folder, "ct.pem"), publicKey.export({ type: "spki", format: "pem" }));
    const { ctLog } = await fulcio("{ ct-log: { url: https://ct.example.com/2026, public-key: ct.pem } }");
    expect(ctLog).toMatchObject({ url: "https://ct.example.com/2026", key: { algorithm: "ecdsa-p256" } });
    expect(await fulcio("{ ct-log: none }")).toEqual({ ctLog: "none" });
  });

  test("the keys that may be certified, by upstream's names", async () => {
    const names = "[ecdsa-sha2-384-nistp384, ed25519]";
    expect(await fulcio(`{ client-signing-algorithms: ${names} }`)).toEqual({
      ctLog: "own",
      clientAlgorithms: [
        { key: "ecdsa-p384", hash: "sha384" },
        { key: "ed25519", hash: "sha512" },
      ],
    });
  });

  test("how long a token may be good for, which explain-token asks too", async () => {
    const section = await fulcio("{ longest-token-hours: 168 }");
    expect(section).toEqual({ ctLog: "own", longestTokenLife: 7 * 24 * 3600 });
    const config = await file(
      `${ISSUER}chancery: { url: "https://a.example.com", fulcio: { longest-token-hours: 168 } }\n`,
    );
    expect(fulcioConfig(await settings({ CHANCERY_CONFIG: config })).longestTokenLife).toBe(7 * 24 * 3600);
  });

  test.for([
    ["{ longest-token-hours: 0 }", "chancery.fulcio.longest-token-hours: "],
    ["{ longest-token-hours: 24h }", "chancery.fulcio.longest-token-hours: "],
    ["{ ct-log: { url: https://ct.example.com } }", "chancery.fulcio.ct-log.public-key: is missing"],
    ["{ ct-log: { url: https://ct.example.com, public-key: nowhere.pem } }", "nowhere.pem cannot be read"],
    ["{ ct-log: { url: https://ct.example.com, public-key: 1.yaml } }", "1.yaml: "],
    ["{ ct-log: { url: ct.example.com, public-key: ct.pem } }", "ct-log.url: ct.example.com is not an absolute"],
    ["{ ct-log: { uri: https://ct.example.com } }", "chancery.fulcio.ct-log.url: must be a text"],
    ["{ ct-log: { url: none, uri: x } }", "known are url, public-key, ca-cert, origin"],
    ["{ client-signing-algorithms: [rsa] }", "rsa is not known; known are ecdsa-sha2-256-nistp256"],
    ["{ client-signing-algorithms: [] }", "chancery.fulcio.client-signing-algorithms: is empty"],
    ["{ client-signing-algorithms: rsa }", "chancery.fulcio.client-signing-algorithms: must be a list"],
    ["{ ctlog: none }", "chancery.fulcio.ctlog: unknown key"],
  ])("%s is refused", async ([section, message]) => {
    await expect(fulcio(section!)).rejects.toThrow(message);
  });
});

async function rekor(section: string) {
  const config = await file(`${ISSUER}chancery: { url: "https://a.example.com", rekor: ${section} }\n`);
  return (await settings({ CHANCERY_CONFIG: config })).rekor;
}

describe("what Rekor's v1 API is told to take", () => {
  test("kinds, operations, keys and payloads, by upstream's names", async () => {
    const keys = "client-signing-algorithms: [ed25519-ph, ecdsa-sha2-256-nistp256]";
    expect(
      await rekor(`{ entry-kinds: [dsse, rpm], api-operations: [createLogEntry], ${keys}, attestation-bytes: 0 }`),
    ).toEqual({
      entryKinds: ["dsse", "rpm"],
      enabledOperations: ["createLogEntry"],
      keyAlgorithms: ["ed25519", "ecdsa-p256"],
      attestationBytes: 0,
    });
  });

  test.for([
    ["{ entry-kinds: [deb] }", "chancery.rekor.entry-kinds: deb is not known; known are hashedrekord"],
    ["{ entry-kinds: [] }", "chancery.rekor.entry-kinds: is empty"],
    ["{ api-operations: [deleteEntry] }", "deleteEntry is not known; known are createLogEntry"],
    ["{ client-signing-algorithms: [rsa] }", "chancery.rekor.client-signing-algorithms: rsa is not known"],
    ["{ attestation-bytes: -1 }", "chancery.rekor.attestation-bytes"],
    ["{ kinds: [] }", "chancery.rekor.kinds: unknown key"],
  ])("%s is refused", async ([section, message]) => {
    await expect(rekor(section!)).rejects.toThrow(message);
  });
});
