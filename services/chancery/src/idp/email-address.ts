import { Malformed } from "@chancery/fault";

/** RFC 5321, Section 4.5.3.1: 64 octets before the @, 254 in all. */
const LOCAL_BYTES = 64;
const ADDRESS_BYTES = 254;

const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const ADDRESS = new RegExp(`^(${ATOM}(?:\\.${ATOM})*)@(?:${LABEL}\\.)+${LABEL}$`);

/**
 * An ASCII addr-spec (RFC 5322, Section 3.4.1) in its dot-atom form. No quoted local part, no literal, no
 * comment: they are ways to write an address that two readers understand differently.
 */
export function parseEmailAddress(value: unknown, field: string): string {
  if (typeof value !== "string" || value === "") throw new Malformed(`${field}: is missing; give it exactly once`);
  const local = value.length <= ADDRESS_BYTES ? ADDRESS.exec(value)?.[1] : undefined;
  if (local === undefined || local.length > LOCAL_BYTES) {
    throw new Malformed(`${field}: is not an address like dev@example.com`);
  }
  return value;
}
