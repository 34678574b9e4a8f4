const PEM_LABELS: Readonly<Record<number, string>> = { 2: "CERTIFICATE", 3: "PUBLIC KEY" };

/**
 * The leaf of an entry's row: the row's bytes, or, where the first is 1, what their pieces say. A piece has an octet for
 * its kind, two for its length, and is itself (0), base64 of it (1), or base64 of the PEM of it. What has no such form is
 * taken as it lies there, and its hash is not the one in its tile.
 */
export function leafOfRow(row: Uint8Array): Uint8Array {
  if (row[0] !== 1) return row;
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.length);
  // A character for each octet: text grows for less than bytes do.
  let spelled = "";
  let at = 1;
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return row;
    const [kind, begin] = [bytes.readUInt8(at), at + 3];
    at = begin + bytes.readUInt16BE(at + 1);
    if (at > bytes.length) return row;
    const piece = spelledOut(kind, bytes.subarray(begin, at));
    if (piece === undefined) return row;
    spelled += piece;
  }
  const leaf = Buffer.from(spelled, "latin1");
  return new Uint8Array(leaf.buffer, leaf.byteOffset, leaf.length);
}

function spelledOut(kind: number, piece: Buffer): string | undefined {
  if (kind === 0) return piece.toString("latin1");
  if (kind === 1) return piece.toString("base64");
  const label = PEM_LABELS[kind];
  if (label === undefined) return undefined;
  const base64 = piece.toString("base64");
  let pem = `-----BEGIN ${label}-----\n`;
  for (let cut = 0; cut < base64.length; cut += 64) pem += `${base64.slice(cut, cut + 64)}\n`;
  return Buffer.from(`${pem}-----END ${label}-----\n`, "latin1").toString("base64");
}
