import { Misconfigured } from "@chancery/fault";

/** Said of the embedded database too, which nobody named: `CHANCERY_DATABASE_URL` would send its owner astray. */
export function noSuchLog(name: string, also = ""): Misconfigured {
  return new Misconfigured(
    "database",
    `holds no log ${name}${also}: it was emptied, or is another one (CHANCERY_DATABASE_URL, --data); bring the database back that holds the log`,
  );
}
