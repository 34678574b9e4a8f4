import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startFakeIssuer } from "@chancery/testing";
import { expect } from "vitest";
import { failing, TamperedStack, type Tampering } from "./tampered-stack.ts";

/** A row of the CA's ledger, as JSON. */
interface IssuedElsewhere {
  readonly serial: Uint8Array;
  readonly ctIndex: bigint | null;
  readonly row: string;
}

/**
 * Certificates of an installation that is a copy of another's whole data folder: of the same CA, `logged` of them with an SCT
 * by the same key for the copy's CT log, the others with none.
 */
export async function issueElsewhere(data: string, logged: number, unlogged: number): Promise<IssuedElsewhere[]> {
  await using stack = new AsyncDisposableStack();
  {
    await using twin = await TamperedStack.start({ data });
    await twin.issue(logged);
    const auditor = await twin.auditor("of the twin");
    await auditor.sweep();
    // Nothing is wrong with them but that the other log does not hold them.
    expect(failing(auditor.status())).toEqual([]);
  }
  const issuer = stack.use(await startFakeIssuer());
  const issuers = { [issuer.url]: { "issuer-url": issuer.url, "client-id": "sigstore", type: "email" } };
  const config = join(data, "no-ct-log.json");
  const chancery = { fulcio: { "ct-log": "none" } };
  await writeFile(config, JSON.stringify({ "oidc-issuers": issuers, chancery }));
  const twin = stack.use(await TamperedStack.start({ data, config }));
  await twin.issue(unlogged, await issuer.token());
  return await twin.owner.query<IssuedElsewhere>(
    `SELECT serial, ct_index AS "ctIndex", to_jsonb(c)::text AS row FROM fulcio.certificate c ORDER BY time, serial`,
  );
}

/** As whoever owns the machine could: the CA goes on with a ledger that says so. */
export function broughtIn({ serial, ctIndex, row }: IssuedElsewhere): Tampering {
  return {
    where: `serial ${serial.toHex()}, in the copy's CT log at ${ctIndex}`,
    change: [
      ["INSERT INTO fulcio.certificate SELECT * FROM jsonb_populate_record(NULL::fulcio.certificate, $1::jsonb)", row],
    ],
    back: [["DELETE FROM fulcio.certificate WHERE serial = $1", serial]],
  };
}
