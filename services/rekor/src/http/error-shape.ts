import { NotFound } from "@chancery/fault";
import type { ErrorShape } from "@chancery/service";
import { SchemaViolation } from "./schema-violation.ts";

type Failure = Parameters<ErrorShape["body"]>[0];

/**
 * Rekor's errors: `{ code, message }`, where the code of a schema violation is go-openapi's own and not the status, and
 * a 404 has no body at all.
 *
 * `prefix` goes before what is wrong with a proposed entry, as upstream words it.
 */
export function rekorErrors(prefix = ""): ErrorShape {
  return {
    status: ({ error, status }) => (error instanceof SchemaViolation ? 422 : status),
    body: (failure) => {
      if (failure.error instanceof NotFound) return "";
      return { code: codeOf(failure), message: failure.status === 400 ? prefix + failure.message : failure.message };
    },
  };
}

function codeOf({ error, status }: Failure): number {
  return error instanceof SchemaViolation ? error.schemaCode : status;
}
