const PEM_LABELS: Readonly<Record<number, string>> = { 2: "CERTIFICATE", 3: "PUBLIC KEY" };

/**
 * The leaf of an entry's row: the row's bytes, or, where the first is 1, what their pieces say. A piece has an octet for
 * its kind, two for its length, and is itself (0), base64 of it (1), or base64 of the PEM of it. What has no such form is
 * taken as it lies there, and its hash is not the one in its tile.
 */
export function leafOfRow(row: Uint8Array): Uint8Array {
  if (row[0] !== 1) return row;
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.length);
  const pieces: Buffer[] = [];
  let at = 1;
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return row;
    const [kind, begin] = [bytes.readUInt8(at), at + 3];
    at = begin + bytes.readUInt16BE(at + 1);
    if (at > bytes.length) return row;
    const piece = spelledOut(kind, bytes.subarray(begin, at));
    if (piece === undefined) return row;
    pieces.push(piece);
  }
  return new Uint8Array(Buffer.concat(pieces));
}

function spelledOut(kind: number, piece: Buffer): Buffer | undefined {
  if (kind === 0) return piece;
  if (kind === 1) return Buffer.from(piece.toString("base64"), "latin1");
  const label = PEM_LABELS[kind];
  if (label === undefined) return undefined;
  const lines = piece.toString("base64").match(/.{1,64}/g) ?? [];
  const pem = [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
  return Buffer.from(Buffer.from(pem, "latin1").toString("base64"), "latin1");
}
