import type { JsonValue } from "@chancery/encoding";
import { LONGEST_LIST, type PredicateSummary } from "./attestation.ts";
import { facts, joined, list, member, text } from "./json-walk.ts";

/** SPDX 2.x (packages) and 3.0 (a graph of elements). */
export function spdx(document: JsonValue | undefined): PredicateSummary {
  const graph = list(member(document, "@graph"));
  const isGraph = graph.length > 0;
  const packages = isGraph
    ? graph.filter((element) => text(member(element, "type")) === "software_Package")
    : list(member(document, "packages"));
  const creation = member(document, "creationInfo");
  const named = packages.map((one) => {
    return nameVersion(member(one, "name"), member(one, "versionInfo") ?? member(one, "software_packageVersion"));
  });
  return {
    title: "Bill of materials, SPDX",
    facts: facts(
      ["Version", isGraph ? "SPDX 3" : text(member(document, "spdxVersion"))],
      ["Document", text(member(document, "name"))],
      ["Namespace", text(member(document, "documentNamespace"))],
      ["Made", text(member(creation, "created"))],
      ["Made by", joined(list(member(creation, "creators")).map(text))],
      ["Files", count(list(member(document, "files")))],
      [
        "Licences",
        licences(packages.map((one) => text(member(one, "licenseConcluded")) ?? text(member(one, "licenseDeclared")))),
      ],
    ),
    lists: packageList(named),
  };
}

export function cycloneDx(document: JsonValue | undefined): PredicateSummary {
  const components = list(member(document, "components"));
  const metadata = member(document, "metadata");
  const tools = member(metadata, "tools");
  const toolList = list(tools).length > 0 ? list(tools) : list(member(tools, "components"));
  const named = components.map(
    (one) => text(member(one, "purl")) ?? nameVersion(member(one, "name"), member(one, "version")),
  );
  return {
    title: "Bill of materials, CycloneDX",
    facts: facts(
      ["Version", text(member(document, "specVersion"))],
      ["Of", nameVersion(member(metadata, "component", "name"), member(metadata, "component", "version"))],
      ["Serial number", text(member(document, "serialNumber"))],
      ["Made", text(member(metadata, "timestamp"))],
      ["Made by", joined(toolList.map((tool) => nameVersion(member(tool, "name"), member(tool, "version"))))],
      ["Vulnerabilities told", count(list(member(document, "vulnerabilities")))],
      ["Licences", licences(components.flatMap(licencesOf))],
    ),
    lists: packageList(named),
  };
}

function licencesOf(component: JsonValue): (string | undefined)[] {
  return list(member(component, "licenses")).map(
    (one) =>
      text(member(one, "expression")) ?? text(member(one, "license", "id")) ?? text(member(one, "license", "name")),
  );
}

/** The most frequent first. */
function licences(found: readonly (string | undefined)[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of found) if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, 8).map(([name, times]) => `${name} (${times})`);
  return joined(sorted.length > 8 ? [...shown, `${sorted.length - 8} more`] : shown);
}

function packageList(named: readonly (string | undefined)[]): PredicateSummary["lists"] {
  const shown = named.slice(0, LONGEST_LIST).map((name) => name ?? "without a name");
  return named.length === 0 ? [] : [{ title: "Packages", total: named.length, shown }];
}

function nameVersion(name: JsonValue | undefined, version: JsonValue | undefined): string | undefined {
  const [named, versioned] = [text(name), text(version)];
  return named === undefined || versioned === undefined ? named : `${named} ${versioned}`;
}

function count(values: readonly unknown[]): string | undefined {
  return values.length === 0 ? undefined : String(values.length);
}
