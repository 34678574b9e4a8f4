import { der } from "@chancery/encoding";
import type { TimestampRequest } from "./timestamp-request.ts";

export interface TimestampInfo {
  readonly request: TimestampRequest;
  readonly policy: string;
  /** Big-endian, unsigned. */
  readonly serial: Uint8Array;
  readonly time: Date;
  /** The subject of the signing certificate, a DER Name. */
  readonly authority: Uint8Array;
}

const VERSION_1 = der.integer(1);
/** Whole seconds are written and the fraction is cut off: the true time lies within the second that follows. */
const ACCURACY = der.sequence(der.integer(1));

/**
 * TSTInfo ::= SEQUENCE {
 *   version INTEGER { v1(1) }, policy TSAPolicyId, messageImprint MessageImprint, serialNumber INTEGER,
 *   genTime GeneralizedTime, accuracy Accuracy OPTIONAL, ordering BOOLEAN DEFAULT FALSE, nonce INTEGER OPTIONAL,
 *   tsa [0] GeneralName OPTIONAL, extensions [1] IMPLICIT Extensions OPTIONAL }
 * Accuracy ::= SEQUENCE { seconds INTEGER OPTIONAL, … }
 *
 * RFC 3161, Section 2.4.2. The imprint "MUST have the same value as the similar field in TimeStampReq"; so has the nonce.
 */
export function encodeTimestampInfo(info: TimestampInfo): Uint8Array {
  const { request, authority } = info;
  return der.sequence(
    VERSION_1,
    der.oid(info.policy),
    der.sequence(request.hashIdentifier, der.octetString(request.digest)),
    der.integerBytes(info.serial),
    der.generalizedTime(info.time),
    ACCURACY,
    ...(request.nonce === undefined ? [] : [request.nonce]),
    // GeneralName is a CHOICE, so both its tag and the field's are explicit: directoryName [4].
    der.explicit(0, der.explicit(4, authority)),
  );
}
