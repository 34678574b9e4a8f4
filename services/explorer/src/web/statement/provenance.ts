import type { JsonValue } from "@chancery/encoding";
import { LONGEST_LIST, type PredicateSummary } from "./attestation.ts";
import { facts, list, member, object, text } from "./json-walk.ts";

/** SLSA provenance v1 (buildDefinition, runDetails) and v0.2 (builder, invocation, materials). */
export function provenance(predicate: JsonValue | undefined): PredicateSummary {
  return member(predicate, "buildDefinition") === undefined ? version02(predicate) : version1(predicate);
}

function version1(predicate: JsonValue | undefined): PredicateSummary {
  const [definition, details] = [member(predicate, "buildDefinition"), member(predicate, "runDetails")];
  const parameters = member(definition, "externalParameters");
  const workflow = member(parameters, "workflow");
  return {
    title: "SLSA provenance",
    facts: facts(
      ["Built by", text(member(details, "builder", "id"))],
      ["Kind of build", text(member(definition, "buildType"))],
      [
        "Source",
        text(member(workflow, "repository")) ??
          text(member(parameters, "source", "uri")) ??
          text(member(parameters, "source")),
      ],
      ["Ref", text(member(workflow, "ref"))],
      ["Workflow", text(member(workflow, "path"))],
      ["Run", text(member(details, "metadata", "invocationId"))],
      ["Started", text(member(details, "metadata", "startedOn"))],
      ["Finished", text(member(details, "metadata", "finishedOn"))],
    ),
    lists: dependencies("Built from", list(member(definition, "resolvedDependencies"))),
  };
}

function version02(predicate: JsonValue | undefined): PredicateSummary {
  return {
    title: "SLSA provenance 0.2",
    facts: facts(
      ["Built by", text(member(predicate, "builder", "id"))],
      ["Kind of build", text(member(predicate, "buildType"))],
      ["Source", text(member(predicate, "invocation", "configSource", "uri"))],
      ["Entry point", text(member(predicate, "invocation", "configSource", "entryPoint"))],
      ["Run", text(member(predicate, "metadata", "buildInvocationId"))],
      ["Started", text(member(predicate, "metadata", "buildStartedOn"))],
      ["Finished", text(member(predicate, "metadata", "buildFinishedOn"))],
    ),
    lists: dependencies("Built from", list(member(predicate, "materials"))),
  };
}

function dependencies(title: string, found: readonly JsonValue[]): PredicateSummary["lists"] {
  if (found.length === 0) return [];
  const shown = found.slice(0, LONGEST_LIST).map((one) => {
    const [digest] = Object.entries(object(member(one, "digest")));
    const name = text(member(one, "uri")) ?? text(member(one, "name")) ?? "without a name";
    return digest === undefined ? name : `${name} (${digest[0]}:${text(digest[1]) ?? "?"})`;
  });
  return [{ title, total: found.length, shown }];
}
