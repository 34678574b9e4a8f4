import type { ListedEntry } from "../api/entries.ts";
import { csv } from "../text/csv.ts";
import { saveFile } from "./save-file.ts";

const COLUMNS: readonly (readonly [string, (entry: ListedEntry) => string])[] = [
  ["log", ({ log }) => log],
  ["index", ({ logIndex }) => logIndex],
  ["entry", ({ entryId }) => entryId],
  ["time", ({ time }) => time ?? ""],
  ["kind", ({ kind }) => kind],
  ["digests", ({ digests }) => digests.join(" ")],
  [
    "identities",
    ({ signers }) => signers.flatMap((one) => one.certificate?.sans.map((san) => san.value) ?? []).join(" "),
  ],
  ["issuers", ({ signers }) => signers.flatMap((one) => one.certificate?.issuer ?? []).join(" ")],
  ["keys", ({ signers }) => signers.flatMap((one) => one.keyFingerprint ?? []).join(" ")],
  ["predicate type", ({ attestation }) => attestation?.predicateType ?? ""],
];

interface SaveResultsProps {
  readonly entries: readonly ListedEntry[];
  /** There are no others. */
  readonly isWhole: boolean;
}

/** What is on the page, and no more: whole logs are what `chancery export` is for. */
export function SaveResults({ entries, isWhole }: SaveResultsProps) {
  const asCsv = () => {
    const rows = entries.map((entry) => COLUMNS.map(([, read]) => read(entry)));
    saveFile("entries.csv", "text/csv", csv([COLUMNS.map(([name]) => name), ...rows]));
  };
  const asJson = () => saveFile("entries.json", "application/json", `${JSON.stringify(entries, null, 2)}\n`);
  return (
    <>
      {isWhole ? "Save as" : `Save these ${entries.length} as`}{" "}
      <button type="button" class="link-button" onClick={asCsv}>
        CSV
      </button>{" "}
      or{" "}
      <button type="button" class="link-button" onClick={asJson}>
        JSON
      </button>
    </>
  );
}
