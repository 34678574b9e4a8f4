/** Identifier octets (X.690, Section 8.1.2) of the universal types that certificates, CSRs and timestamps use. */
export const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OID: 0x06,
  ENUMERATED: 0x0a,
  UTF8_STRING: 0x0c,
  PRINTABLE_STRING: 0x13,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
  /** [n] with a primitive encoding: an IMPLICIT string or number. */
  CONTEXT: 0x80,
  /** [n] with a constructed encoding: EXPLICIT, or an IMPLICIT sequence or set. */
  CONTEXT_CONSTRUCTED: 0xa0,
} as const;
