import { Malformed } from "@chancery/fault";
import { compareBytes } from "./bytes.ts";
import { DerReader } from "./der-reader.ts";
import { Tag } from "./der-tag.ts";

/**
 * Walks one value to its leaves: `bytes` is exactly one DER value, as deep as it goes. For structures that are kept
 * whole (a Name, an extension's inside) and whose parts no one else reads.
 *
 * It knows universal types only: what an OCTET STRING or an IMPLICIT tag hides is not looked into.
 */
export function checkDer(bytes: Uint8Array, field: string): void {
  const reader = new DerReader(bytes, field);
  checkNext(reader, field, 0);
  reader.end();
}

function checkNext(reader: DerReader, field: string, depth: number): void {
  const tag = reader.tag();
  if (tag === undefined) throw new Malformed(`${field}: ends where a value is expected`);
  const constructed = (tag & 0x20) !== 0;
  // X.690, Section 10.2: DER has no constructed strings, so a universal constructed value is a SEQUENCE or a SET.
  if (tag < 0x40 && constructed !== ((tag | 0x20) === Tag.SEQUENCE || (tag | 0x20) === Tag.SET)) {
    throw new Malformed(`${field}: a universal type in the wrong form`);
  }
  if (!constructed) checkPrimitive(reader, tag);
  else if (tag === Tag.SET) checkSet(reader.read(tag), field, depth);
  else checkMembers(reader.open(tag), field, depth);
}

function checkMembers(inside: DerReader, field: string, depth: number): void {
  while (!inside.done()) checkNext(inside, field, depth + 1);
}

/** X.690, Section 11.6. Every SET in X.509 and CMS is a SET OF, so the order is that of the encodings. */
function checkSet(content: Uint8Array, field: string, depth: number): void {
  checkMembers(new DerReader(content, field, depth + 1), field, depth);
  const members = new DerReader(content, field);
  let previous: Uint8Array = new Uint8Array();
  while (!members.done()) {
    const member = members.any();
    if (compareBytes(previous, member) > 0) throw new Malformed(`${field}: a SET whose members do not ascend`);
    previous = member;
  }
}

function checkPrimitive(reader: DerReader, tag: number): void {
  switch (tag) {
    case Tag.BOOLEAN:
      reader.boolean();
      return;
    case Tag.INTEGER:
      reader.integerBytes();
      return;
    case Tag.BIT_STRING:
      reader.bitString();
      return;
    case Tag.NULL:
      reader.null();
      return;
    case Tag.OID:
      reader.oid();
      return;
    case Tag.UTF8_STRING:
    case Tag.PRINTABLE_STRING:
    case Tag.IA5_STRING:
      reader.string();
      return;
    case Tag.UTC_TIME:
    case Tag.GENERALIZED_TIME:
      reader.time({ fraction: true });
      return;
    default:
      reader.read(tag);
  }
}
