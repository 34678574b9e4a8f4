import { encodeHex } from "@chancery/encoding";
import type { IssuanceLedger } from "@chancery/fulcio";
import type { Logger } from "@chancery/service";

/** The ledger, with a line in the program's log for each entry: for whoever watches or forwards that. */
export function narratedLedger(ledger: IssuanceLedger, logger: Logger): IssuanceLedger {
  return {
    async recordIssued(entry) {
      const { issuer, subject, san, wouldRefuse } = entry;
      const facts = { outcome: "issued", issuer, subject, name: san.value, serial: encodeHex(entry.serial) };
      try {
        await ledger.recordIssued(entry);
      } catch (error) {
        // The CT log has it, and an auditor will ask why the ledger has not.
        logger.error(
          { ...facts, outcome: "withheld" },
          "the ledger cannot be written: a certificate that is logged stays here",
        );
        throw error;
      }
      logger.info(facts, "issuance");
      if (wouldRefuse !== undefined) {
        logger.warn({ ...facts, rule: wouldRefuse }, "issued in dry run: the issuance policy would refuse");
      }
    },
    async recordRefused(entry, claimedIssuer) {
      const { code, reason, issuer, subject, rule, count } = entry;
      logger.info({ outcome: "refused", code, reason, issuer, claimedIssuer, subject, rule, count }, "issuance");
      await ledger.recordRefused(entry);
    },
    issued: (query) => ledger.issued(query),
    refused: (query) => ledger.refused(query),
  };
}
